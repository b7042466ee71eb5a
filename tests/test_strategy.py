"""Strategies are checked against the model they are executed on."""

import pytest

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning.strategy import kept_counts, make_strategy, read_strategy
from sparsitysolver.pruning.units import Unit
from sparsitysolver.records.files import write_json

UNITS = [Unit("layers.0.mha", "mha", 0, 4, 100), Unit("layers.0.ffn", "ffn", 0, 10, 60)]
MODEL = {"name": "tiny", "family": "opt", "weights_sha256": "aaaa"}


def strategy(kept=(3, 7), **changes):
    return make_strategy(UNITS, kept, 0.25, MODEL, {"algorithm": "ppo"}, 7, seen=[]) | changes


@pytest.fixture
def path(tmp_path):
    write_json(tmp_path / "x.json", strategy())
    return tmp_path / "x.json"


def test_a_strategy_says_what_is_kept():
    record = strategy()
    assert record["achieved_sparsity"] == pytest.approx(0.28)
    assert [(unit["name"], unit["kind"], unit["size"], unit["kept"], unit["ratio"]) for unit in record["units"]] == [
        ("layers.0.mha", "mha", 4, 3, 0.75),
        ("layers.0.ffn", "ffn", 10, 7, 0.7),
    ]
    assert kept_counts(record) == [3, 7]


def test_round_trip(path):
    assert read_strategy(path, UNITS, "aaaa", 0.25) == strategy()
    assert read_strategy(path, UNITS, "aaaa", None) == strategy()


OTHER = r"was made for another model \(tiny\): "


@pytest.mark.parametrize(
    ("units", "weights", "sparsity", "words"),
    [
        (UNITS[:1], "aaaa", 0.25, OTHER + r"2 units found, 1 needed.*\('layers\.0\.ffn', 10\) found, None needed"),
        ([*UNITS, Unit("layers.1.mha", "mha", 1, 4, 100)], "aaaa", 0.25, OTHER + "2 units found, 3 needed.*None found"),
        ([UNITS[0], Unit("layers.0.ffn", "ffn", 0, 11, 60)], "aaaa", 0.25, OTHER + r".*10\) found.*, 11\) needed"),
        (UNITS, "bbbb", 0.25, OTHER + "same shape, but weights aaaa found, bbbb needed"),
        (UNITS, "aaaa", 0.3, r"was made for sparsity 0\.25, not for 0\.3"),
    ],
)
def test_strategies_of_something_else(path, units, weights, sparsity, words):
    with pytest.raises(SparsitySolverError, match=f"strategy {path} {words}"):
        read_strategy(path, units, weights, sparsity)


def test_more_than_there_is_and_what_is_no_strategy(tmp_path):
    write_json(tmp_path / "x.json", strategy(kept=(5, 7), achieved_sparsity=0.0))
    with pytest.raises(
        SparsitySolverError, match=r"(keeps more than there is in layers\.0\.mha|units, entry 1, ratio)"
    ):
        read_strategy(tmp_path / "x.json", UNITS, "aaaa", 0.25)
    write_json(tmp_path / "x.json", {"model": "x", "units": []})
    with pytest.raises(SparsitySolverError, match=r"x\.json is not a valid strategy"):
        read_strategy(tmp_path / "x.json", UNITS, "aaaa", 0.25)
