"""Perplexity equals the loss that transformers itself computes, however it is batched and chunked."""

import math

import numpy as np
import pytest
import torch
from tiny import tiny_ids, tiny_model

from sparsitysolver.evaluation import perplexity as module
from sparsitysolver.evaluation.perplexity import perplexity, perplexity_stderr, window_losses
from sparsitysolver.models.adapter import adapt

IDS = torch.from_numpy(tiny_ids(7, 20, seed=8)).long()


@pytest.mark.parametrize("tied", [True, False])
def test_window_losses_are_those_of_transformers(family, tied):
    model = tiny_model(family, tie_word_embeddings=tied)
    with torch.no_grad():
        expected = [float(model(window[None], labels=window[None]).loss) for window in IDS]
    losses = window_losses(adapt(model), IDS)
    assert losses.dtype == np.float64 and losses.shape == (7,)
    assert np.allclose(losses, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("batch_tokens", [1, 20, 60, 10_000])
def test_batches_do_not_matter(family, batch_tokens):
    adapter = adapt(tiny_model(family))
    assert np.abs(window_losses(adapter, IDS, batch_tokens) - window_losses(adapter, IDS)).max() <= 1e-6


@pytest.mark.parametrize("rows", [1, 3, 19, 50])
def test_chunks_of_the_head_do_not_matter(rows, monkeypatch):
    adapter = adapt(tiny_model("opt"))
    whole = window_losses(adapter, IDS)
    sizes = []
    head = adapter.lm_head.forward
    adapter.lm_head.forward = lambda part: sizes.append(len(part)) or head(part)
    monkeypatch.setattr(module, "_LOGITS", rows * 50)
    assert np.abs(window_losses(adapter, IDS) - whole).max() <= 1e-6
    assert max(sizes) == rows and sum(sizes) == 7 * 19


def test_half_precision_models_are_scored_in_float32():
    model = tiny_model("llama").bfloat16()
    with torch.no_grad():
        scores = model(IDS).logits.float()[:, :-1]
    expected = torch.nn.functional.cross_entropy(scores.reshape(-1, 50), IDS[:, 1:].reshape(-1))
    assert np.mean(window_losses(adapt(model), IDS)) == pytest.approx(float(expected), abs=1e-6)


def test_perplexity_is_the_exponential_of_the_mean():
    assert perplexity(np.array([1.0, 3.0])) == pytest.approx(math.exp(2))


@pytest.mark.parametrize(("losses", "value"), [([1.0, np.inf], math.inf), ([800.0], math.inf), ([1.0, np.nan], None)])
def test_losses_that_are_not_finite(losses, value):
    result = perplexity(np.array(losses))
    assert result == value if value else math.isnan(result)


def test_standard_error_by_the_delta_method():
    losses = np.random.default_rng(0).normal(3, 0.2, 200)
    draws = np.random.default_rng(1).choice(losses, (4000, 200)).mean(axis=1)
    assert perplexity_stderr(losses) == pytest.approx(np.exp(draws).std(), rel=0.05)
    assert perplexity_stderr(losses[:1]) is None
