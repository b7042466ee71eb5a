"""The fast scorer gives lm-eval's numbers, computes shared beginnings once, and reads only what it needs."""

import numpy as np
import pytest
from tiny import tiny_folder
from zero_shot_items import BUNDLED_MODELS, MINI, WORDS, mini

from sparsitysolver.config.registry import tasks_table
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.choices import (
    ChoiceRequests,
    accuracy,
    choice_loglikelihoods,
    choice_requests,
    correct,
)
from sparsitysolver.evaluation.zero_shot import evaluate_zero_shot
from sparsitysolver.models.loading import load_model

CHANCE = {"boolq": 0.5, "piqa": 0.5, "winogrande": 0.5}
ABOVE = 0.15


@pytest.fixture(scope="module")
def bundled():
    """The models that ship with the package, loaded once."""
    return {name: load_model(name, device="cpu") for name in BUNDLED_MODELS}


@pytest.fixture
def tiny():
    return load_model(str(tiny_folder("opt")), device="cpu")


@pytest.mark.parametrize("task", MINI)
@pytest.mark.parametrize("name", BUNDLED_MODELS)
def test_the_harness_and_the_scorer_agree_well_above_chance(name, task, bundled):
    loaded, items, row = bundled[name], mini(task, 100), tasks_table()[task]
    result, requests = evaluate_zero_shot(loaded, items, 32), choice_requests(loaded, items)
    found = choice_loglikelihoods(loaded.adapter, requests)
    assert found.dtype == np.float64
    assert np.abs(found - np.concatenate(result.loglikelihoods)).max() <= 1e-4
    assert requests.metrics == tuple(result.metrics)
    for metric, measured in result.metrics.items():
        assert correct(found, requests, metric).astype(int).tolist() == result.correct[metric]
        assert accuracy(loaded.adapter, requests, metric) == pytest.approx(measured["value"])
    assert result.metrics[row.metric]["value"] >= CHANCE.get(row.harness_task, 0.25) + ABOVE


@pytest.mark.parametrize("length", [3, 5, 64])
@pytest.mark.parametrize("batch_tokens", [1, 20, 4096])
def test_truncation_and_batches(length, batch_tokens, tiny):
    requests = choice_requests(tiny, WORDS, length, batch_tokens)
    expected = evaluate_zero_shot(tiny, WORDS, max_length=length).loglikelihoods
    assert np.abs(choice_loglikelihoods(tiny.adapter, requests) - np.concatenate(expected)).max() <= 1e-5
    assert all(batch.ids.numel() <= max(batch_tokens, batch.ids.shape[1]) for batch in requests.batches)


def test_shared_beginnings_are_computed_once(tiny):
    """The shorter answer of each item is read where the longer one's context ends; last tokens are not read."""
    assert choice_requests(tiny, WORDS).tokens == 3 * 6
    rows = {tuple(row) for batch in choice_requests(tiny, WORDS, batch_tokens=1).batches for row in batch.ids.tolist()}
    assert rows == {(2, 0, 3, 4, 0, 5), (2, 0, 8, 0, 10, 11), (2, 0, 4, 4, 0, 14)}


def test_yes_and_no_cost_one_pass(bundled):
    """The answers of BoolQ are one token each, so that its questions are read once."""
    loaded, items = bundled["llama-tiny"], mini("mini_boolq", 10)
    prompts = [f"{one['passage']}\nQuestion: {one['question']}?\nAnswer:" for one in items.records]
    assert choice_requests(loaded, items).tokens == sum(len(loaded.tokenizer(prompt).input_ids) for prompt in prompts)


@pytest.mark.parametrize("rows", [1, 4, 1000])
def test_the_head_reads_the_answers_only(rows, tiny, monkeypatch):
    requests = choice_requests(tiny, WORDS)
    whole = choice_loglikelihoods(tiny.adapter, requests)
    sizes, head = [], tiny.adapter.lm_head.forward
    tiny.adapter.lm_head.forward = lambda part: sizes.append(len(part)) or head(part)
    monkeypatch.setattr("sparsitysolver.evaluation.perplexity._LOGITS", rows * 50)
    assert np.abs(choice_loglikelihoods(tiny.adapter, requests) - whole).max() <= 1e-6
    assert max(sizes) <= rows and sum(sizes) == 2 + 1 + 1 + 3 + 1 + 2


# Log-likelihoods and characters of two items: the first has two choices, the second three.
BY_HAND = ChoiceRequests(
    batches=(),
    item=np.array([0, 0, 1, 1, 1]),
    choice=np.array([0, 1, 0, 1, 2]),
    lengths=np.array([1.0, 4.0, 2.0, 2.0, 8.0]),
    gold=np.array([0, 2]),
    metrics=("acc", "acc_norm"),
    tokens=0,
)
SCORES = np.array([-2.0, -4.0, -3.0, -4.0, -8.0])


def test_accuracy_by_hand():
    assert correct(SCORES, BY_HAND, "acc").tolist() == [True, False]  # -2 > -4; -3 > -4 > -8
    assert correct(SCORES, BY_HAND, "acc_norm").tolist() == [False, True]  # -2 < -1; -1.5 and -2 < -1
    assert correct(np.zeros(5), BY_HAND, "acc").tolist() == [True, False]  # the first of equal ones


def test_an_unknown_metric_is_an_error(tiny):
    with pytest.raises(SparsitySolverError, match="unknown metric of the task 'acc_norm'. Allowed: acc"):
        accuracy(tiny.adapter, choice_requests(tiny, mini("mini_boolq", 2)), "acc_norm")
