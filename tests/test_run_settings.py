"""Settings of a run: what is misspelt or senseless is refused, and what is given reaches the searches it concerns."""

import pytest

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.grid import Grid

COUNTS = ("limit", "episodes", "reward_windows", "reward_items", "task_episodes", "arena_episodes", "inference_rounds")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("episode", "episodes"), ("reuse_episode", "reuse_episodes"), ("inference_round", "inference_rounds")],
)
def test_a_misspelt_setting_is_refused_and_the_near_one_named(name, meant):
    with pytest.raises(SparsitySolverError, match=rf"unknown setting of a run .*'{name}'; did you mean .*{meant}.*\?"):
        Grid({"grid": "tiny", name: 3})


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("given", ["0", 0, "-1", "many", 1.5])
def test_counts_are_whole_and_positive(name, given):
    with pytest.raises(SparsitySolverError, match=f"^{name}={given}: a number of at least 1 is needed"):
        Grid({"grid": "tiny", name: given})


def test_a_misspelt_task_is_refused():
    with pytest.raises(SparsitySolverError, match="did you mean mini_boolq"):
        Grid({"grid": "tiny", "tasks": "mini_bolq"})


def test_settings_reach_the_searches_they_concern():
    usual = Grid({"grid": "tiny"}).searches
    given = {"episodes": 7, "task_episodes": 5, "reward_windows": 3, "reward_items": 9, "criterion": "wanda_sp"}
    changed = Grid({"grid": "tiny", **given, "budget": "projection"}).searches
    shared = {"reward_windows": 3, "budget": "projection"}
    assert changed["unstructured"] == usual["unstructured"] | shared | {"episodes": 7}
    assert changed["structured"] == changed["unstructured"] | {"criterion": "wanda_sp"}
    assert changed["task"] == usual["task"] | {"episodes": 5, "reward_items": 9, "budget": "projection"}
    assert changed["first"] == usual["first"] | shared | {"criterion": "wanda_sp"}


def test_numbers_mean_the_same_as_text():
    assert Grid({"grid": "tiny", "episodes": "7"}).searches == Grid({"grid": "tiny", "episodes": 7}).searches
