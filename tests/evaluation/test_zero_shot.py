"""lm-eval on our models and items: log-likelihoods by hand, pruned models, nothing else touched."""

import logging
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from jobs import job_for
from tiny import tiny_folder, tiny_ids
from zero_shot_items import BUNDLED_MODELS, MINI, WORDS, mini, piqa

from baselines import slicegpt
from sparsitysolver.config.registry import tasks_table
from sparsitysolver.data.harness import harness_task
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.choices import choice_requests
from sparsitysolver.evaluation.zero_shot import evaluate_zero_shot, zero_shot_fields
from sparsitysolver.models.adapter import adapt
from sparsitysolver.models.loading import load_model
from sparsitysolver.pruning.scores import channels_of
from sparsitysolver.pruning.slicing import slice_attention, slice_ffn

# "Question:", "\nAnswer:" and the like are one unknown token each
TOKENS = [
    [([2, 0, 3, 4, 0], [5, 6]), ([2, 0, 3, 4, 0], [7])],
    [([2, 0, 8, 0], [9]), ([2, 0, 8, 0], [10, 11, 12])],
    [([2, 0, 4, 4, 0], [13]), ([2, 0, 4, 4, 0], [14, 15])],
]
LENGTHS = np.array([[5, 2], [2, 11], [3, 7]])
GOLD = np.array([1, 0, 0])


@torch.no_grad()
def by_hand(model, context, answer, length=64):
    """Sum of log-probabilities of an answer, whose context may have lost its beginning."""
    ids = (context + answer)[-(length + 1) :]
    scores = model(torch.tensor([ids[:-1]]), use_cache=False).logits[0].log_softmax(-1)
    return float(sum(scores[len(ids) - 1 - len(answer) + place, token] for place, token in enumerate(answer)))


@pytest.fixture
def load():
    return lambda family: load_model(str(tiny_folder(family)), device="cpu")


@pytest.mark.parametrize("length", [64, 4])
def test_loglikelihoods_by_hand(family, length, load):
    loaded = load(family)
    result = evaluate_zero_shot(loaded, WORDS, batch_size=4, max_length=length)
    expected = np.array([[by_hand(loaded.model, *pair, length) for pair in pairs] for pairs in TOKENS])
    assert np.allclose(result.loglikelihoods, expected, atol=1e-4, rtol=0)
    right = {"acc": expected.argmax(1) == GOLD, "acc_norm": (expected / LENGTHS).argmax(1) == GOLD}
    assert result.correct == {name: found.astype(int).tolist() for name, found in right.items()}
    for name, found in right.items():
        measured = result.metrics[name]
        assert (measured["value"], measured["n"]) == (pytest.approx(found.mean()), 3)
        assert measured["stderr"] == pytest.approx(found.std(ddof=1) / 3**0.5)
    assert result.protocol.items() >= {"task_version": "1.0", "harness": "lm_eval 0.4.13", "bos": "tokenizer"}.items()


def test_the_batch_size_does_not_matter(load):
    loaded = load("opt")
    one, all_ = (evaluate_zero_shot(loaded, WORDS, size) for size in (1, 6))
    assert np.allclose(one.loglikelihoods, all_.loglikelihoods, atol=1e-5, rtol=0)
    assert one.protocol["ids_sha256"] == all_.protocol["ids_sha256"]
    with pytest.raises(SparsitySolverError, match="batch size 0"):
        evaluate_zero_shot(loaded, WORDS, 0)


@pytest.mark.parametrize("score", [evaluate_zero_shot, choice_requests])
def test_an_answer_longer_than_the_model_takes(score, load):
    with pytest.raises(SparsitySolverError, match="an answer of 3 tokens cannot be scored by llama-0: 1 to 2 are"):
        score(load("llama"), WORDS, max_length=2)


def test_a_single_item_has_no_standard_error(load):
    measured = evaluate_zero_shot(load("opt"), piqa(("w3", "w4", "w5", 0))).metrics["acc"]
    assert measured["n"] == 1 and measured["value"] in (0.0, 1.0) and measured["stderr"] is None


@pytest.mark.parametrize("task", MINI)
def test_no_training_split_and_the_items_in_order(task):
    items = mini(task, 5)
    stock = harness_task(items)
    assert stock.config.task == tasks_table()[task].harness_task
    assert not stock.has_training_docs() and not stock.has_validation_docs()
    assert [{key: doc[key] for key in items.records[0]} for doc in stock.task_docs] == list(items.records)


def test_nothing_else_is_touched(load, capfd):
    """Random generators, tokenizer, weights, logging, the caches and the screen are as they were."""
    loaded = load("llama")
    loaded.tokenizer.pad_token = None
    states = random.getstate(), str(np.random.get_state()), torch.get_rng_state()  # noqa: NPY002
    weights = {name: tensor.clone() for name, tensor in loaded.model.state_dict().items()}
    level = logging.getLogger("lm_eval").level
    shutil.rmtree(os.environ["HF_HOME"], ignore_errors=True)  # what tests before this one left
    capfd.readouterr()
    evaluate_zero_shot(loaded, mini("mini_hellaswag", 4))
    assert capfd.readouterr() == ("", "")
    assert (random.getstate(), str(np.random.get_state())) == states[:2]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[2])
    assert loaded.tokenizer.pad_token is None
    assert all(torch.equal(tensor, weights[name]) for name, tensor in loaded.model.state_dict().items())
    assert logging.getLogger("lm_eval").level == level
    assert not list(Path(os.environ["HF_HOME"]).rglob("*"))


# --- pruned models --------------------------------------------------------------------------------------------------


@torch.no_grad()
def halve(loaded, execute):
    """Keep every other group and neuron: physically, or by zeroing the columns that read the others."""
    adapter, shape = loaded.adapter, loaded.adapter.shape
    groups, neurons = torch.arange(0, shape.groups, 2), torch.arange(0, shape.ffn, 2)
    for index, layer in enumerate(adapter.layers):
        if execute == "slice":
            slice_attention(adapter, index, groups)
            slice_ffn(adapter, index, neurons)
        else:
            channels = channels_of(groups, shape.group_channels)
            for linear, kept in ((layer.attention_output, channels), (layer.ffn_output, neurons)):
                linear.weight.mul_(torch.zeros(linear.weight.shape[1]).index_fill(0, kept, 1))
    return loaded


@pytest.mark.parametrize("name", BUNDLED_MODELS)
def test_a_sliced_model_answers_as_the_masked_one(name):
    items = mini("mini_openbookqa", 40)
    dense, sliced, masked = (load_model(name, device="cpu") for _ in range(3))
    one, other = (evaluate_zero_shot(halve(m, e), items) for m, e in ((sliced, "slice"), (masked, "mask")))
    assert np.allclose(one.loglikelihoods, other.loglikelihoods, atol=1e-4, rtol=0)
    assert one.correct == other.correct and one.metrics == other.metrics
    assert not np.allclose(one.loglikelihoods, evaluate_zero_shot(dense, items).loglikelihoods, atol=0.1)


def test_a_rotated_model_is_evaluated_as_it_is(load):
    """SliceGPT unties the head; lm-eval, which ties weights, must not tie it again."""
    loaded = load("opt")
    job = job_for(loaded.model, 0.25, tiny_ids(12, 16))
    slicegpt.prune(job, None)
    loaded.adapter = adapt(loaded.model)
    expected = [[by_hand(loaded.model, *pair) for pair in pairs] for pairs in TOKENS]
    result = evaluate_zero_shot(loaded, WORDS)
    assert np.allclose(result.loglikelihoods, expected, atol=1e-4, rtol=0)
    assert not torch.equal(loaded.adapter.lm_head.weight, loaded.adapter.embeddings[0].weight)


# --- cells ----------------------------------------------------------------------------------------------------------


def test_scores_that_are_not_finite_are_an_error(load):
    loaded = load("llama")
    loaded.adapter.embeddings[0].weight[3] = torch.nan
    result = evaluate_zero_shot(loaded, WORDS)
    with pytest.raises(SparsitySolverError, match="without finite log-likelihoods: 1 of 3 items. Try another dtype"):
        zero_shot_fields(loaded, WORDS, result, {})
