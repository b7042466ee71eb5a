"""What a search held for best on the way, by hand."""

import pytest

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning.units import Unit
from sparsitysolver.search.journal import Episode, anytime, read_curve

UNITS = [Unit("a", "mha", 0, 10, 1), Unit("b", "ffn", 0, 10, 1)]  # at 0.2 at most 16 items


def row(kept, tokens, reward, other=None):
    return Episode(0, None, reward, [kept, 16 - kept if other is None else other], tokens, 0.0)


def test_the_best_so_far_at_marks_of_the_budget():
    curve = [row(8, 10, 1.0), row(7, 10, 3.0), row(9, 10, 2.0), row(6, 10, 4.0)]
    held = anytime(curve, UNITS, 0.2, [5, 10, 25, 30, 40])
    assert held == [None, [8, 8], [7, 9], [7, 9], [6, 10]]


def test_what_was_scored_on_more_tokens_comes_before_what_earned_more():
    curve = [row(8, 10, 9.0), row(7, 20, 1.0), row(6, 10, 10.0)]
    assert anytime(curve, UNITS, 0.2, [10, 30, 40]) == [[8, 8], [7, 9], [7, 9]]


def test_probes_above_the_budget_are_no_candidates():
    curve = [row(8, 10, 1.0), row(10, 10, 5.0, other=10)]
    assert anytime(curve, UNITS, 0.2, [20]) == [[8, 8]]
    assert anytime(curve[1:], UNITS, 0.2, [20]) == [None]


def test_a_file_that_is_no_curve(tmp_path):
    (tmp_path / "x.csv").write_text("episode,ppl\n1,2\n")
    with pytest.raises(SparsitySolverError, match="not the curve of a search"):
        read_curve(tmp_path / "x.csv")
    with pytest.raises(SparsitySolverError, match="not the curve"):
        read_curve(tmp_path / "none.csv")
