"""Masks against direct computation: rows, ties, ranks in their narrow types, N:M, errors."""

from fractions import Fraction

import pytest
import torch
from jobs import moments_of

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning.masks import Pattern, check_scores, matrix_mask, pattern_mask, row_mask, row_ranks
from sparsitysolver.pruning.scores import criterion, wanda
from sparsitysolver.pruning.units import UNSTRUCTURED


@pytest.fixture
def layer():
    """A weight (7, 12) with equal entries, and inputs (40, 12) one channel of which is always 0."""
    torch.manual_seed(0)
    weight, inputs = torch.randn(7, 12).round(decimals=1), torch.randn(40, 12)
    weight[2] = 0.5
    weight[4] = 0
    inputs[:, 3] = 0
    inputs[:, 5] = inputs[:, 6]
    return weight, inputs


@pytest.mark.parametrize("removed", [0, 1, 5, 11, 12])
def test_row_mask_is_wanda_in_three_lines(layer, removed):
    weight, inputs = layer
    metric = weight.abs() * inputs.double().square().sum(dim=0).sqrt().float()
    pruned = weight.clone()
    pruned.scatter_(1, torch.sort(metric, dim=-1, stable=True)[1][:, :removed], 0)

    mask = row_mask(wanda(weight, moments_of(inputs)), weight.shape[1] - removed)
    assert torch.equal(weight.masked_fill(~mask, 0), pruned)
    assert (mask.sum(dim=1) == 12 - removed).all()


def test_of_equal_scores_the_earlier_column_goes_first():
    assert row_mask(torch.ones(2, 4), 1).tolist() == [[False, False, False, True]] * 2
    assert row_ranks(torch.ones(2, 4)).tolist() == [[3, 2, 1, 0]] * 2


def test_a_silent_input_goes_first_whatever_its_weight(layer):
    weight, inputs = layer
    weight[:, 3] = 100
    weight[4] = 1  # every other score of every row is positive
    weight[weight == 0] = 0.1
    assert (~row_mask(wanda(weight, moments_of(inputs)), 11)).nonzero()[:, 1].tolist() == [3] * 7


@pytest.mark.parametrize(
    ("columns", "kind"),
    [(12, torch.uint8), (255, torch.uint8), (256, torch.int16), (32767, torch.int16), (32768, torch.int32)],
)
def test_ranks_agree_with_row_masks_for_every_count(columns, kind):
    """At 256 columns the count 256 does not fit one byte: a comparison in uint8 would read it as 0."""
    torch.manual_seed(0)
    scores = torch.randint(0, 50, (2, columns)).float()
    ranks = row_ranks(scores)
    assert ranks.dtype == kind
    counts = range(columns + 1) if columns <= 256 else (0, 1, 255, 256, columns - 1, columns)
    assert all(torch.equal(ranks < kept, row_mask(scores, kept)) for kept in counts)
    assert all(torch.equal(ranks >= kept, ~row_mask(scores, kept)) for kept in (0, 1, columns))


def test_matrix_mask_takes_the_lowest_of_the_whole_matrix():
    scores = torch.tensor([[5.0, 1.0, 3.0], [2.0, 4.0, 6.0]])
    assert matrix_mask(scores, 0.3).tolist() == [[True, False, True], [False, True, True]]  # floor(1.8), and one more
    assert matrix_mask(scores, 0).all() and not matrix_mask(scores, 1).any()
    assert matrix_mask(torch.tensor([[1.0, 1.0, 1.0, 2.0]]), 0.25).tolist() == [[False, False, False, True]]  # ties


@pytest.mark.parametrize("share", [0.1, 0.5, 0.7, 0.999])
def test_matrix_mask_is_the_magnitude_pruning_of_the_published_code(share):
    """The threshold is the score at place int(n · s) of all in order, and what equals it goes too."""
    torch.manual_seed(0)
    for scores in (torch.rand(7, 13), torch.randint(0, 9, (7, 13)).float()):
        threshold = scores.flatten().sort().values[int(scores.numel() * share)]
        assert torch.equal(matrix_mask(scores, share), scores > threshold)
    assert int((~matrix_mask(torch.rand(100, 100), Fraction(7, 10))).sum()) == 7001


@pytest.mark.parametrize("text", ["2:4", "4:8", "1:4", "3:4"])
def test_patterns_keep_exactly_n_of_every_m(text):
    """N is what stays: the published code of SparseGPT and Wanda names what goes, which is the same for 2:4 and 4:8."""
    torch.manual_seed(0)
    pattern, scores = Pattern.parse(text), torch.randint(0, 3, (5, 16)).float()
    groups = pattern_mask(scores, pattern).reshape(5, -1, pattern.group)
    assert (groups.sum(dim=2) == pattern.keep).all()
    kept = scores.reshape_as(groups).masked_fill(~groups, torch.inf).amin(dim=2)
    gone = scores.reshape_as(groups).masked_fill(groups, -torch.inf).amax(dim=2)
    assert (kept >= gone).all()
    assert str(pattern) == text and pattern.sparsity == pytest.approx(1 - pattern.keep / pattern.group, abs=1e-15)


def test_a_pattern_must_divide_the_columns():
    Pattern(2, 4).check("layers.0.query", 16)
    with pytest.raises(SparsitySolverError, match=r"2:4 does not divide the 18 columns of layers\.0\.query"):
        Pattern(2, 4).check("layers.0.query", 18)
    with pytest.raises(SparsitySolverError, match="does not divide"):  # 12 weights are three groups, rows are not
        pattern_mask(torch.rand(2, 6), Pattern(2, 4))


@pytest.mark.parametrize("text", ["4:2", "4:4", "0:4", "2", "2:4:8", "a:b", "-1:4", ""])
def test_what_is_no_pattern(text):
    with pytest.raises(SparsitySolverError, match="N:M with 0 < N < M is needed"):
        Pattern.parse(text)


def test_scores_that_are_no_numbers_are_refused(layer):
    weight, inputs = layer
    assert check_scores(weight, "w") is weight
    weight[1, 2] = torch.nan
    with pytest.raises(SparsitySolverError, match=r"^1 of 84 scores of layers\.1\.key are NaN"):
        check_scores(wanda(weight, moments_of(inputs)), "layers.1.key")


def test_criteria_by_name(layer):
    assert torch.equal(criterion(UNSTRUCTURED, "magnitude")(layer[0], None), layer[0].abs())
    with pytest.raises(SparsitySolverError, match="unknown unstructured criterion 'wnda'; did you mean wanda"):
        criterion(UNSTRUCTURED, "wnda")
