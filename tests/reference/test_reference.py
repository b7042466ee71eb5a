"""Trained models on real text against an independent implementation; skipped without the reference assets."""

import numpy as np
import pytest
import torch
from jobs import job_for

from baselines import reconstruction, slicing
from sparsitysolver.config.assets import Assets
from sparsitysolver.config.registry import tasks_table
from sparsitysolver.data.items import load_items
from sparsitysolver.data.sampling import read_ids
from sparsitysolver.data.sources import load_text
from sparsitysolver.data.windows import cut_windows
from sparsitysolver.evaluation.choices import accuracy, choice_loglikelihoods, choice_requests
from sparsitysolver.evaluation.perplexity import perplexity, window_losses
from sparsitysolver.evaluation.size import measure_size
from sparsitysolver.evaluation.zero_shot import evaluate_zero_shot
from sparsitysolver.models.loading import load_model
from sparsitysolver.pruning.units import uniform_counts
from sparsitysolver.records.files import canonical_json

pytestmark = pytest.mark.reference
SEQLEN = 256
# Published values are those of the whole split; so many evenly spread windows come close to them, and the ratio of
# two models on the same windows comes closer.
WINDOWS = 64
DENSE_TEST = {"llama-mini": 35.42658769, "mistral-mini": 46.93190422}


@pytest.fixture
def load(reference):
    """Loads a reference model."""
    return lambda name: load_model(str(reference / "models" / name), device="cpu")


def windows_of(loaded, reference, split):
    text = load_text("wikitext2", split, Assets(reference))
    windows = cut_windows(text, loaded.tokenizer, SEQLEN, WINDOWS, vocabulary=loaded.vocabulary)
    return windows, torch.from_numpy(windows.ids.astype(np.int64))


@pytest.mark.parametrize(
    ("split", "tokens", "total", "dense"),
    [("test", 360614, 1408, 49.65809461), ("validation", None, 1241, 53.34688693)],
)
def test_dense_perplexity(split, tokens, total, dense, reference, load):
    loaded = load("opt-mini")
    windows, ids = windows_of(loaded, reference, split)
    assert windows.total_windows == total and tokens in (None, windows.total_tokens)
    assert windows.bos != "none"
    assert perplexity(window_losses(loaded.adapter, ids)) == pytest.approx(dense, rel=0.05)


@pytest.mark.parametrize(
    ("name", "pruner", "published"),
    [("llama-mini", slicing, 38.11862712), ("mistral-mini", reconstruction, 48.04596638)],
)
def test_uniform_pruning_on_given_calibration(name, pruner, published, reference, load):
    """20%: what pruning costs, as a ratio to the dense model on the same windows."""
    loaded = load(name)
    ids = windows_of(loaded, reference, "test")[1]
    dense = perplexity(window_losses(loaded.adapter, ids))
    calibration = read_ids(str(reference / "calibration" / "wikitext2-train-64x256.npy"), 4096).ids
    job = job_for(loaded.model, 0.2, calibration)
    pruner.prune(job, uniform_counts(job.units, 0.2))
    assert 0.2 <= measure_size(job.adapter).sparsity <= 0.215
    ratio = perplexity(window_losses(job.adapter, ids)) / dense
    assert ratio == pytest.approx(published / DENSE_TEST[name], rel=0.01)


ITEMS = {row.key: row.n_items for row in tasks_table().values() if row.key == row.harness_task}


@pytest.mark.parametrize("task", ITEMS)
def test_real_items(task, reference):
    whole, report, search = (load_items(task, part, Assets(reference)) for part in ("all", "report", "search"))
    assert len(whole.records) == ITEMS[task]
    assert len(report.records) + len(search.records) == ITEMS[task]
    assert len(search.records) / ITEMS[task] == pytest.approx(0.2, abs=0.05)
    spelt = [{canonical_json(record) for record in part.records} for part in (report, search)]
    assert not spelt[0] & spelt[1]


@pytest.mark.parametrize("task", ["boolq", "hellaswag", "winogrande", "arc_challenge"])
def test_zero_shot_on_real_items(task, reference, load):
    loaded, items = load("opt-mini"), load_items(task, "report", Assets(reference), 40)
    result, requests = evaluate_zero_shot(loaded, items), choice_requests(loaded, items)
    found = choice_loglikelihoods(loaded.adapter, requests)
    assert np.abs(found - np.concatenate(result.loglikelihoods)).max() <= 1e-4
    assert {metric: accuracy(loaded.adapter, requests, metric) for metric in requests.metrics} == {
        metric: pytest.approx(measured["value"]) for metric, measured in result.metrics.items()
    }
    assert all(measured["n"] == 40 and 0.1 <= measured["value"] <= 0.9 for measured in result.metrics.values())
