"""Every algorithm at the edges of what can be asked: budgets of one evaluation, bounds that leave nothing, one unit."""

import json
import re

import numpy as np
import pytest
from search_cases import UNITS, curve, found, problem, search

from sparsitysolver.chat.settings import Reply
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning.budget import Bounds, budget_rule
from sparsitysolver.pruning.units import budget, kept_weights
from sparsitysolver.search.algorithms import ALGORITHMS, DRIVEN, GREEDY_BY_DEFAULT, evopress

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.parametrize("name", ALGORITHMS)]


@pytest.fixture(autouse=True)
def few_attempts(monkeypatch):
    """On a tiny model nearly every offspring was there before: this saves half a minute a search."""
    monkeypatch.setattr(evopress.SETTINGS, "attempts", 5)


class Talker:
    """A chat model that proposes as many candidates as it is asked for, within the bounds that it is told."""

    seen = ()

    def __init__(self):
        self._rng = np.random.default_rng(0)

    def ask(self, messages):
        text = messages[0]["content"]
        units = int(re.search(r"list of (\d+) pruning rates", text)[1])
        low, high = map(float, re.search(r"lies between (\S+) and (\S+)\.\n", text).groups())
        wanted = int(re.findall(r"(?:Write|Make) (\d+) candidates", text)[-1])
        return Reply(json.dumps(self._rng.uniform(low, high, (wanted, units)).tolist()), "talker")

    def identity(self):
        return {"kind": "talker", "model": "talker", "url": None}

    record = identity

    def begin(self, seen):
        """It keeps no log."""


def driver(name):
    return {"driver": Talker()} if name in DRIVEN else {}


@pytest.mark.parametrize("episodes", [1, 2])
def test_a_budget_of_one_or_two_evaluations_gives_a_strategy(name, episodes, tmp_path):
    strategy = search(tmp_path, algorithm=name, episodes=episodes, **driver(name))
    rows = curve(tmp_path / "x.curve.csv")
    assert rows and sum(int(row["tokens"]) for row in rows) <= episodes * 2 * 16
    assert 0.2 <= strategy["achieved_sparsity"] < 1


def test_equal_bounds_leave_one_strategy(name, tmp_path):
    """Every unit keeps what whole items make of 80%."""
    options = {"episodes": 16, "a_min": 0.8, "a_max": 0.8}
    if name in DRIVEN:  # a chat model has nothing new to say, and the error says that it did not
        with pytest.raises(SparsitySolverError, match=r"no usable candidate .* repeated \d+"):
            search(tmp_path, algorithm=name, **options, **driver(name))
        return
    kept = [unit["kept"] for unit in search(tmp_path, algorithm=name, **options)["units"]]
    assert kept == [3, 35] * 3  # of 4 heads and 44 neurons


@pytest.mark.parametrize("bounds", [Bounds(0.5, 1.0), Bounds(0.8, 0.8)])
@pytest.mark.parametrize("count", [1, 2])
def test_few_units(name, bounds, count, tmp_path):
    """A strategy within the budget, or one sentence."""

    def losses(kept, windows):
        return np.full(len(windows), 2.0 + ((1 - np.array(kept) / 40) ** 2).sum())

    units = UNITS[:count]
    rule = budget_rule("greedy" if name in GREEDY_BY_DEFAULT else "projection")
    target = problem(losses, units=units, project=rule, bounds=bounds, most=100)
    try:
        records, result = found(name, tmp_path, target, 16, **driver(name))
    except SparsitySolverError as error:
        assert name in {"two_rate", *DRIVEN} and str(error).endswith(".")
        return
    candidates = [*result.candidates.values(), records.best.kept]
    assert all(kept_weights(units, kept) <= budget(units, 0.2) for kept in candidates)
