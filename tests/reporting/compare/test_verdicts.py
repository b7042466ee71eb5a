"""Verdicts: arithmetic at the edge of a tolerance, what cannot be compared, and claims of order."""

from decimal import Decimal

import pytest
from cell_factory import PUBLISHED_125M, make_cell, make_grid, replace_cell

from sparsitysolver.config.paper import Tolerance, tolerance
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.collected.collect import read_cells_csv
from sparsitysolver.reporting.compare.verdicts import Verdict
from sparsitysolver.reporting.tables.judged import judge, verdict_of
from sparsitysolver.reporting.tables.orders import OrderClaim, judge_order, order_claims
from sparsitysolver.reporting.tables.tables import build_table


@pytest.fixture
def table(collected):
    def build(cells, models=("opt-125m",)):
        return build_table("table2", read_cells_csv(collected(cells)), list(models))

    return build


@pytest.mark.parametrize(
    ("published", "measured", "method", "verdict"),
    [
        ("27.64", 27.67, "dense", Verdict.HOLDS),  # 27.67 - 27.64 is above 0.03 in binary
        ("27.64", 27.6749, "dense", Verdict.HOLDS),  # printed 27.67
        ("27.64", 27.68, "dense", Verdict.FAILS),
        ("27.64", 27.61, "dense", Verdict.HOLDS),
        ("27.64", 27.60, "dense", Verdict.FAILS),
        ("35.00", 35.70, "flap", Verdict.HOLDS),  # 2% is 0.70
        ("35.00", 35.71, "flap", Verdict.FAILS),
        ("35.00", 34.30, "flap", Verdict.HOLDS),
        ("35.00", 34.29, "flap", Verdict.FAILS),
        ("35.00", None, "flap", Verdict.NOT_RUN),
        ("-", 35.00, "svd_llm", Verdict.NOT_COMPARABLE),
    ],
)
def test_verdict_at_the_edge_of_the_tolerance(published, measured, method, verdict):
    assert judge(published, measured, "ppl", method) is verdict


def test_larger_bound_counts():
    both = Tolerance(absolute="0.5", relative="0.1", reason="")
    assert both.allows(Decimal(10), Decimal(11))
    assert both.allows(Decimal(1), Decimal("1.5"))
    assert not both.allows(Decimal(1), Decimal("1.51"))


def test_metric_without_tolerance_names_the_file_to_mend():
    with pytest.raises(SparsitySolverError, match=r"no tolerance for metric 'bleu'.*tolerances\.csv"):
        tolerance("bleu", "dense")


def test_published_model_is_judged_and_others_are_not_comparable(table):
    cells = replace_cell(make_grid(), make_cell(method="flap", value=40.0))
    built = table(replace_cell(cells, make_cell(method="slicegpt", value=None)))
    assert verdict_of(built, "Dense", "opt-125m") is Verdict.HOLDS
    assert verdict_of(built, "FLAP", "opt-125m") is Verdict.FAILS
    assert verdict_of(built, "SliceGPT", "opt-125m") is Verdict.NOT_RUN
    assert verdict_of(built, "Dense", "opt-13b") is Verdict.NOT_COMPARABLE


@pytest.mark.parametrize("change", [{"task": "mini"}, {"fingerprint": {"seqlen": 1024}}])
def test_other_protocol_is_not_comparable(table, change):
    assert verdict_of(table(make_grid(**change)), "Dense", "opt-125m") is Verdict.NOT_COMPARABLE


def test_each_pair_of_rows_claims_the_order_most_columns_show(table):
    claims = order_claims(table(make_grid()))
    assert len(claims) == 10  # of five rows; that the dense model is better is no claim
    assert OrderClaim("Ours (Recon)", "SliceGPT", 9, 9) in claims
    assert OrderClaim("FLAP", "SVD-LLM", 5, 7) in claims  # two dashes


@pytest.mark.parametrize(
    ("flap", "verdict"),
    [
        (34.2, Verdict.HOLDS),
        (34.0, Verdict.FAILS),
        (34.101, Verdict.TIE),
        (None, Verdict.NOT_RUN),
    ],
)
def test_claim_of_order_judged_on_another_model(table, flap, verdict):
    cells = replace_cell(make_grid(("opt-tiny",)), make_cell("opt-tiny", "flap", flap))
    claim = OrderClaim("SliceGPT", "FLAP", 7, 9)
    assert PUBLISHED_125M["slicegpt"] == 34.10
    order = judge_order(claim, table(cells, ("opt-tiny",)), "opt-tiny", {})  # no samples: digits decide
    assert order.verdict is verdict


@pytest.mark.parametrize(
    ("paired", "verdict"),
    [
        (Verdict.HOLDS, Verdict.FAILS),
        (Verdict.FAILS, Verdict.HOLDS),
        (Verdict.NOISE, Verdict.NOISE),
        (Verdict.NOT_RUN, Verdict.HOLDS),  # 34.10 before 34.45
    ],
)
def test_interval_decides_before_digits_do_whichever_row_stands_first(table, paired, verdict):
    built, claim = table(make_grid(("opt-tiny",)), ("opt-tiny",)), OrderClaim("SliceGPT", "FLAP", 7, 9)
    mirrored = {Verdict.HOLDS: Verdict.FAILS, Verdict.FAILS: Verdict.HOLDS}.get(paired, paired)
    assert judge_order(claim, built, "opt-tiny", {("opt-tiny", "FLAP", "SliceGPT"): paired}).verdict is verdict
    assert judge_order(claim, built, "opt-tiny", {("opt-tiny", "SliceGPT", "FLAP"): mirrored}).verdict is verdict
