"""Trained models on real text against an independent implementation; skipped without the reference assets."""

import numpy as np
import pytest
import torch
from jobs import job_for

from baselines import reconstruction, slicing
from sparsitysolver.data.sampling import read_ids
from sparsitysolver.data.sources import load_text
from sparsitysolver.data.windows import cut_windows
from sparsitysolver.evaluation.perplexity import perplexity, window_losses
from sparsitysolver.evaluation.size import measure_size
from sparsitysolver.models.loading import load_model
from sparsitysolver.pruning.units import uniform_counts
from sparsitysolver.registry import Assets

pytestmark = pytest.mark.reference
SEQLEN = 256
EVERY = 8  # one window in so many, for what has no published value of its own


@pytest.fixture
def load(reference):
    """Loads a reference model."""
    return lambda name: load_model(str(reference / "models" / name), device="cpu")


def windows_of(loaded, reference, split, count=None):
    text = load_text("wikitext2", split, Assets(reference))
    windows = cut_windows(text, loaded.tokenizer, SEQLEN, count)
    return windows, torch.from_numpy(windows.ids.astype(np.int64))


def test_dense_perplexity_of_the_whole_test_split(reference, load):
    loaded = load("opt-mini")
    windows, ids = windows_of(loaded, reference, "test")
    assert (windows.total_tokens, len(ids)) == (360614, 1408)
    assert windows.bos != "none"
    assert perplexity(window_losses(loaded.adapter, ids)) == pytest.approx(49.65809461, rel=1e-5)


@pytest.mark.parametrize(("name", "dense"), [("llama-mini", 38.12432943), ("mistral-mini", 50.52494254)])
def test_evenly_spread_windows_stand_for_the_split(name, dense, reference, load):
    loaded = load(name)
    windows, ids = windows_of(loaded, reference, "validation", count=1241 // EVERY)
    assert windows.total_windows == 1241
    assert perplexity(window_losses(loaded.adapter, ids)) == pytest.approx(dense, rel=0.03)


def pruned_perplexity(loaded, reference, pruner):
    """Uniform 20% on the given calibration ids, scored on the whole test split."""
    calibration = reference / "calibration" / "wikitext2-train-64x256.npy"
    job = job_for(loaded.model, 0.2, read_ids(str(calibration), 4096).ids)
    pruner.prune(job, uniform_counts(job.units, 0.2))
    assert 0.2 <= measure_size(job.adapter).sparsity <= 0.215
    return perplexity(window_losses(job.adapter, windows_of(loaded, reference, "test")[1]))


def test_uniform_pruning(reference, load):
    assert pruned_perplexity(load("llama-mini"), reference, slicing) == pytest.approx(38.11862712, rel=5e-3)


def test_uniform_pruning_with_reconstruction(reference, load):
    assert pruned_perplexity(load("mistral-mini"), reference, reconstruction) == pytest.approx(48.04596638, rel=5e-3)
