"""Long tables of strategies and curves: every unit, every episode, and clear errors."""

import csv
import math

import pytest
from cell_factory import make_cell
from search_factory import make_strategy_record, write_search

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.columns import CURVES, STRATEGIES
from sparsitysolver.reporting.collected.gather import curves_command, strategies_command
from sparsitysolver.reporting.collected.long_tables import read_long


def test_strategies_of_searches_and_cells(tmp_path, save):
    """One row a unit; axes of a search from its path, of a cell from itself; cells without allocation say nothing."""
    search = write_search(tmp_path, sparsity="0.3", seed="2", method="ppo")
    allocated = make_cell("m", "owl", 5.0, strategy=make_strategy_record(kept=(3, 5), found={"algorithm": "owl"}))
    cells = save([allocated, make_cell("m", "slicegpt", 6.0)])
    strategies_command([search, *cells], tmp_path / "strategies.csv")
    frame = read_long(tmp_path / "strategies.csv", STRATEGIES)
    assert len(frame) == 4
    owl, ppo = frame[frame["method"] == "owl"], frame[frame["method"] == "ppo"]
    assert list(owl["kept"]) == [3, 5] and list(owl["algorithm"]) == ["owl"] * 2 and list(owl["sparsity"]) == [0.2] * 2
    assert list(ppo["sparsity"]) == [0.3] * 2 and list(ppo["seed"]) == [2] * 2
    assert list(ppo["kind"]) == ["mha", "ffn"] and list(ppo["ratio"]) == [0.5, 0.75] and list(ppo["layer"]) == [0, 0]
    assert list(ppo["label"]) == ["PPO (ours)"] * 2


def test_a_strategy_that_tasks_share_stands_once_and_one_of_a_task_keeps_it(tmp_path, save):
    strategy = make_strategy_record(found={"algorithm": "owl"})
    files = save([make_cell("m", "owl", 5.0, task=task, strategy=strategy) for task in ("wikitext2", "c4")])
    files += [write_search(tmp_path, target=task, method="sparsitysolver_task") for task in ("piqa", "boolq")]
    strategies_command(files, tmp_path / "strategies.csv")
    tasks = read_long(tmp_path / "strategies.csv", STRATEGIES)["task"]
    assert list(tasks) == ["", "", "boolq", "boolq", "piqa", "piqa"]


def test_curves_hold_every_episode_beside_dense_and_uniform(tmp_path):
    path = write_search(tmp_path, [4.0, math.inf, 3.0], found={"warm_start": {"sha256": "abc"}})
    curves_command([path], tmp_path / "curves.csv")
    frame = read_long(tmp_path / "curves.csv", CURVES)
    assert list(frame["episode"]) == [0, 1, 2]
    first, broken, _ = frame["ppl"]
    assert first == 4.0 and math.isnan(broken) and list(frame["reward"]) == [2.5, 0.0, 10 / 3]
    assert (
        set(frame["dense_ppl"]) == {2.0} and set(frame["uniform_ppl"]) == {3.0} and set(frame["warm_start"]) == {"abc"}
    )
    assert list(frame["kept"]) == ["[2, 6]"] * 3


def test_lost_or_foreign_curves_are_named(tmp_path):
    path = write_search(tmp_path)
    curve = path.with_suffix(".curve.csv")
    curve.write_text("a,b\n1,2\n")
    with pytest.raises(SparsitySolverError, match=r"curve\.csv is not the curve of a search: column 'episode'"):
        curves_command([path], tmp_path / "curves.csv")
    curve.unlink()
    with pytest.raises(SparsitySolverError, match="no curve at .*search again"):
        curves_command([path], tmp_path / "curves.csv")
    elsewhere = tmp_path / "x.json"
    elsewhere.write_bytes(path.read_bytes())
    with pytest.raises(SparsitySolverError, match="does not lie where searches do"):
        strategies_command([elsewhere], tmp_path / "strategies.csv")


def test_curves_say_how_many_gpus_a_search_had_and_are_the_same_bytes_in_any_order(tmp_path):
    """Older searches do not say."""
    runs = {"0": {"gpus": 2}, "1": {"gpus": 0}, "2": {}}
    files = [write_search(tmp_path, seed=seed, run=run) for seed, run in runs.items()]
    for out, order in (("a.csv", files), ("b.csv", files[::-1])):
        curves_command(order, tmp_path / out)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    with (tmp_path / "a.csv").open(newline="") as handle:
        assert {(row["seed"], row["gpus"]) for row in csv.DictReader(handle)} == {("0", "2"), ("1", "0"), ("2", "")}
