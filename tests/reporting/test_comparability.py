"""Only equals are compared: achieved sparsity and parameters, each within its stated tolerance."""

import pytest

from sparsitysolver.reporting.comparability import Removed, unequal, unequal_to_any


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (
            Removed(0.578, 2_534_016),
            Removed(0.6, 2_534_016),
            "unequal sparsity: 57.8% and 60.0% of the prunable weights removed",
        ),
        (Removed(0.212, None), Removed(0.2, None), "unequal sparsity: 21.2% and 20.0% of the prunable weights removed"),
        (Removed(0.21, None), Removed(0.2, None), ""),  # a point exactly is within the tolerance
        (Removed(0.2, 1_000_000), Removed(0.2, 1_050_000), "unequal sparsity: 1,000,000 and 1,050,000 parameters"),
        (Removed(0.2, 1_000_000), Removed(0.205, 1_010_000), ""),
        (Removed(None, None), Removed(0.2, 7), ""),  # what is not recorded is not compared
    ],
)
def test_two_cells_are_compared_only_where_both_removed_the_same(first, second, expected):
    assert unequal(first, second) == expected
    assert bool(unequal(second, first)) == bool(expected)


def test_the_first_unequal_one_of_several_is_named():
    own = Removed(0.2, None)
    assert unequal_to_any(own, [Removed(0.2, None), Removed(0.09, None)]).endswith(
        "20.0% and 9.0% of the prunable weights removed"
    )
    assert unequal_to_any(own, [Removed(0.2, None)]) == ""
