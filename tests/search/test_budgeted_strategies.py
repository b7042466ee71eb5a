"""Whole searches by budget on a tiny model: resuming, what a strategy says of its cost, and ``auto``."""

import numpy as np
import pytest
from budgeted_cases import ALL, PAIRED
from search_cases import curve, interrupt, search
from tiny import tiny_model

from sparsitysolver.config.auto import choose
from sparsitysolver.models.adapter import adapt
from sparsitysolver.pruning import effect_table
from sparsitysolver.pruning.units import units_of
from sparsitysolver.records.files import identity, validate
from sparsitysolver.search import settings
from sparsitysolver.search.algorithms import ALGORITHMS, settings_of
from sparsitysolver.search.algorithms.evolution import Arithmetic
from sparsitysolver.search.journal import Journal


@pytest.mark.parametrize("name", PAIRED)
def test_an_interrupted_search_goes_on_to_the_same_end(name, tmp_path, monkeypatch):
    whole = search(tmp_path, "whole", algorithm=name, episodes=40)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 18)
        search(tmp_path, algorithm=name, episodes=40)
    evaluated, record = [], Journal.record
    monkeypatch.setattr(Journal, "record", lambda self, *asked: evaluated.append(0) or record(self, *asked))
    again = search(tmp_path, algorithm=name, episodes=40)
    assert again["run"]["resumed_at"] == 15
    assert len(evaluated) == len(curve(tmp_path / "x.curve.csv")) - 15  # what was known is not evaluated again
    assert identity(again) == identity(whole)
    assert curve(tmp_path / "x.curve.csv") == curve(tmp_path / "whole.curve.csv")


@pytest.mark.parametrize("name", ALL)
def test_a_strategy_says_what_it_cost(name, tmp_path):
    strategy = search(tmp_path, algorithm=name, episodes=40)
    found, rows = strategy["found"], curve(tmp_path / "x.curve.csv")
    assert found["algorithm"] == name and found["budget"] == "projection"
    assert found["agent"] == settings_of(name)
    searching = sum(int(row["tokens"]) for row in rows)
    assert searching < found["tokens"] and len(rows) < found["evaluations"]
    assert strategy["achieved_sparsity"] >= 0.2
    assert strategy["run"]["seconds_per_proposal"] > 0
    assert len(found["candidates"]) <= 6


def test_a_changed_algorithm_goes_on_from_where_it_differs(tmp_path, monkeypatch):
    """Its checkpoint is of another version: what agrees is kept, the rest is evaluated."""
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 37)
        search(tmp_path, algorithm="evolution", episodes=40)
    monkeypatch.setattr(Arithmetic, "cross", lambda self, population, count: [population[0].ratios] * count)
    search(tmp_path, algorithm="evolution", episodes=40)
    rows = curve(tmp_path / "x.curve.csv")
    assert [int(row["episode"]) for row in rows] == list(range(40))
    assert len({row["kept"] for row in rows[30:]}) == 1


def test_a_surrogates_table_is_an_artefact(tmp_path):
    strategy = search(tmp_path, algorithm="surrogate", episodes=120)
    table = effect_table.read_table(tmp_path / "x.effects.json")
    assert table["model"] == strategy["model"]
    assert effect_table.units_of(table) == units_of(adapt(tiny_model("llama")).shape, "structured")
    other = effect_table.strategy_of(table, 0.3, "sha")
    validate(other, "strategy", "x")
    assert other["achieved_sparsity"] >= 0.3 and np.isfinite(other["found"]["predicted_change"])


def test_auto_is_what_the_arena_found_best(tmp_path, monkeypatch, capsys):
    """The strategy is that of the algorithm itself, and says so."""
    asked = []
    monkeypatch.setattr(settings, "choose", lambda *budget: asked.append(budget) or "two_rate")
    auto = search(tmp_path, algorithm="auto", episodes=20)
    assert asked == [("structured", 20, len(auto["units"]))]
    assert auto["found"]["algorithm"] == "two_rate"
    assert "auto: two_rate" in capsys.readouterr().out
    assert identity(auto) == identity(search(tmp_path, "own", algorithm="two_rate", episodes=20))


@pytest.mark.parametrize("granularity", ["structured", "unstructured"])
def test_the_shipped_choice_names_an_algorithm_for_every_budget(granularity):
    assert all(choose(granularity, episodes, 20) in ALGORITHMS for episodes in (1, 50, 10_000))
