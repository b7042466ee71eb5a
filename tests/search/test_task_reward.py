"""Searches rewarded by accuracy on a task: what is scored, what is recorded, and that the same seed gives the same."""

import pytest

from sparsitysolver.config.assets import Assets
from sparsitysolver.data.items import load_items
from sparsitysolver.evaluation.zero_shot import evaluate_zero_shot
from sparsitysolver.models.loading import load_model
from sparsitysolver.pruning.units import unstructured_units
from sparsitysolver.records.files import identity, validate
from sparsitysolver.search.engines import build_engine
from sparsitysolver.search.settings import SearchSettings
from sparsitysolver.search.solve import solve
from sparsitysolver.search.task_reward import task_reward
from sparsitysolver.statistics.collect import ALL_TAPS, collect

pytestmark = pytest.mark.filterwarnings("ignore")
TASK = "mini_arc_easy"
CALIBRATION = {"sha256": "calibration", "source": "mini"}


@pytest.fixture(scope="module")
def bundled():
    """A bundled model with its statistics over a few windows of its own text."""
    loaded = load_model("llama-tiny", device="cpu")
    ids = loaded.tokenizer("the cat is left in the rain . " * 60, return_tensors="np").input_ids[:, :256]
    return lambda: (load_model("llama-tiny", device="cpu"), collect(loaded.adapter, ids, "w", "i", ALL_TAPS))


def test_the_reward_is_the_harness_accuracy_of_the_candidate(bundled):
    """By the metric that tables report for the task, on items spread over the search part."""
    loaded, statistics = bundled()
    engine = build_engine(loaded.adapter, statistics, "unstructured", "wanda")
    full = [unit.size for unit in unstructured_units(loaded.adapter.shape)]
    kept = [size // 3 for size in full]
    items = load_items(TASK, "search", Assets(None), limit=30)
    objective = task_reward(load_items(TASK, "search", Assets(None))).objective(loaded, engine, full, 30)
    ppl, reward = objective.score(kept)
    engine.apply(kept)
    expected = evaluate_zero_shot(loaded, items).metrics["acc_norm"]["value"]
    assert ppl is None and reward == pytest.approx(expected)
    assert objective.score(full)[1] > reward


def test_a_search_on_a_task(bundled, tmp_path):
    sizes = {"episodes": 17, "reward_items": 12, "rescore_items": 20, "rescore_top": 1}
    settings = SearchSettings(granularity="unstructured", sparsity=0.5, reward="accuracy", task=TASK, **sizes)
    strategies = []
    for name in ("x", "y"):
        loaded, statistics = bundled()
        reward = task_reward(load_items(TASK, "search", Assets(None)))
        out = tmp_path / f"{name}.json"
        strategies.append(solve(loaded, statistics, CALIBRATION, reward, settings, out, print))
    validate(strategies[0], "strategy", "x")
    assert identity(strategies[0]) == identity(strategies[1])
    found = strategies[0]["found"]
    assert (found["task"], found["items"], found["reward_items"], found["metric"]) == (TASK, "search", 12, "acc_norm")
    assert found["items_sha256"] == load_items(TASK, "search", Assets(None)).sha256
    assert found["uniform"]["ppl"] is None and found["uniform"]["reward"] >= 0
    assert all(candidate["rescored_ppl"] is None for candidate in found["candidates"])
    best = max(candidate["rescored_reward"] for candidate in found["candidates"])
    assert next(c for c in found["candidates"] if c["name"] == found["chosen"])["rescored_reward"] == best
    assert found["tokens"] > 17 * 12
    curve = (tmp_path / "x.curve.csv").read_text().splitlines()
    assert len(curve) == 18 and curve[1].split(",")[1] == ""
