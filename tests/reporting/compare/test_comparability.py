"""Only equals are compared: achieved sparsity and parameters, each within its stated tolerance."""

import pytest

from sparsitysolver.reporting.compare.comparability import Removed, other_texts, unequal, unequal_to_any


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
        (Removed(0.21004, None), Removed(0.2, None), ""),  # as printed, with four decimals
        (
            Removed(0.197, None),
            Removed(0.2074, None),
            "unequal sparsity: 19.70% and 20.74% of the prunable weights removed",
        ),
        (Removed(0.2, 1_200_000, "slicegpt_matched"), Removed(0.2, 1_000_000, "flap"), ""),  # its head is untied
        (Removed(0.0, 1_000_000, "dense"), Removed(0.2, 800_000, "flap"), ""),
        (Removed(0.2, 1_000_000), Removed(0.2, 1_050_000), "unequal sparsity: 1,000,000 and 1,050,000 parameters"),
        (Removed(0.2, 1_000_000), Removed(0.205, 1_010_000), ""),
        (Removed(None, None), Removed(0.2, 7), ""),  # what is not recorded is not compared
    ],
)
def test_two_cells_are_compared_only_where_both_removed_the_same(first, second, expected):
    assert unequal(first, second) == expected
    assert bool(unequal(second, first)) == bool(expected)


def test_cells_of_tables_say_it_in_fewer_words():
    assert unequal(Removed(0.7, None), Removed(0.65, None), brief=True) == "unequal sparsity: 70.0% and 65.0%"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (["wikitext2"], ["wikitext2", "wikitext2"], ""),
        (["wikitext2"], ["c4"], "tuned on different texts: wikitext2; c4"),
        (["c4"], ["wikitext2", "c4"], "tuned on different texts: c4; c4 and wikitext2"),
        ([], ["c4"], "tuned on different texts: none; c4"),
    ],
)
def test_methods_tuned_on_different_texts(first, second, expected):
    assert other_texts(first, second) == expected


def test_the_first_unequal_one_of_several_is_named():
    own = Removed(0.2, None)
    assert unequal_to_any(own, [Removed(0.2, None), Removed(0.09, None)]).endswith(
        "20.0% and 9.0% of the prunable weights removed"
    )
    assert unequal_to_any(own, [Removed(0.2, None)]) == ""
