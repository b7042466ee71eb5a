"""Tests over cells: paired intervals, several columns, the best row, tasks by analogy, counts."""

import numpy as np
import pytest
from cell_factory import losses, make_cell, make_task_grid, replace_cell, text_cell
from judged import FAILS, HOLDS, NOISE, NOT_RUN, best_of, better, fewer_parameters, within

from sparsitysolver.reporting.claims.paired import over_columns
from sparsitysolver.reporting.claims.results import read_results
from sparsitysolver.reporting.collected.samples import samples_path
from sparsitysolver.reporting.compare.verdicts import Comparison
from sparsitysolver.reporting.tables.pairs import compare_rows
from sparsitysolver.reporting.tables.tables import build_table

OURS, FLAP, SLICEGPT, SVD = "sparsitysolver_recon", "flap", "slicegpt", "svd_llm"


def found_between(low, high):
    return Comparison((low + high) / 2, low, high)


@pytest.mark.parametrize(
    ("verdicts", "quantifier", "verdict"),
    [
        ([1, 1, 1], "all", HOLDS),
        ([1, 0, 1], "all", NOISE),
        ([1, 0, -1], "all", FAILS),
        ([1, 0, -1], "some", HOLDS),
        ([0, -1, -1], "some", NOISE),
        ([-1, -1, -1], "some", FAILS),
        ([1, 1, -1], "most", HOLDS),
        ([1, 0, -1], "most", NOISE),
        ([1, 1, -1, -1], "most", FAILS),  # half is not most
        ([1, 1, 0, -1], "most", NOISE),
    ],
)
def test_verdict_over_columns(verdicts, quantifier, verdict):
    columns = [[found_between(10 * sign - 1, 10 * sign + 1)] for sign in verdicts]
    assert over_columns(columns, quantifier) is verdict


def test_all_rivals_of_a_column_count_as_one():
    columns = [[found_between(1, 2), found_between(-2, -1)], [found_between(1, 2), found_between(1, 2)]]
    assert over_columns(columns, "some") is HOLDS
    assert over_columns(columns[:1], "some") is FAILS


def test_interval_is_that_of_the_table_of_pairs(collected):
    cells = [text_cell(OURS, losses(0.0, 0.02, seed=2)), text_cell(FLAP, losses(0.1, 0.02, seed=3))]
    results = read_results(collected(cells).parent, "tiny")
    found = better(results, table="table2", better=OURS, worse=[FLAP])
    mean = np.mean(np.subtract(losses(0.1, 0.02, seed=3), losses(0.0, 0.02, seed=2)))
    assert (found.verdict, found.n, found.unit, found.models) == (HOLDS, 200, "% perplexity", ("opt-tiny",))
    assert found.effect == pytest.approx(100 * (np.exp(mean) - 1))
    assert found.high - found.low == pytest.approx(2 * 1.96 * 0.02 * np.sqrt(2 / 200) * 100 * np.exp(mean), rel=0.2)
    turned = better(results, table="table2", better=FLAP, worse=[OURS])
    assert turned.verdict is FAILS and turned.high < 0


def test_claims_and_pairs_agree_on_a_whole_table(collected):
    """What `table2.pairs.csv` calls better, the claim does too, with the same interval."""
    names = ["dense", SLICEGPT, FLAP, SVD, "sparsitysolver", OURS]
    others = ["slicegpt_matched", "svd_llm_update", "uniform", "uniform_recon"]
    cells = [text_cell(method, losses(0.05 * n, 0.02, seed=n + 2)) for n, method in enumerate(names)]
    path = collected(cells + [make_cell("opt-tiny", method, 30.0) for method in others])
    results = read_results(path.parent, "tiny")
    assert samples_path(path).is_file()
    pairs = compare_rows(build_table("table2", results.cells, ["opt-tiny"]), results.samples)
    (pair,) = [pair for pair in pairs if (pair.first.method, pair.second.method) == (FLAP, OURS)]
    found = better(results, table="table2", better=OURS, worse=[FLAP])
    assert found.effect == pair.comparison.effect
    assert (found.low, found.high) == (pair.comparison.low, pair.comparison.high)
    assert found.verdict is FAILS


def test_small_gaps_are_noise_and_identical_rows_too(results):
    built = results([text_cell(OURS, losses(0, 0.1, seed=2)), text_cell(FLAP, losses(0, 0.1, seed=3))])
    assert better(built, table="table2", better=OURS, worse=[FLAP]).verdict is NOISE
    same = results([text_cell(OURS, losses()), text_cell(FLAP, losses())])
    found = better(same, table="table2", better=OURS, worse=[FLAP])
    assert (found.verdict, found.effect, found.low, found.high) == (NOISE, 0, 0, 0)


def test_without_samples_the_sign_decides_and_no_interval_is_given(results):
    built = results([make_cell("opt-tiny", OURS, 30.0), make_cell("opt-tiny", FLAP, 33.0)])
    found = better(built, table="table2", better=OURS, worse=[FLAP])
    assert (found.verdict, found.effect, found.low) == (HOLDS, pytest.approx(10), None)
    assert better(built, table="table2", better=FLAP, worse=[OURS]).verdict is FAILS


def test_absent_samples_file_is_no_error(collected):
    path = collected([text_cell(OURS, losses()), text_cell(FLAP, losses(0.1))])
    samples_path(path).unlink()
    assert better(read_results(path.parent, "tiny"), table="table2", better=OURS, worse=[FLAP]).verdict is HOLDS


def two_models(offset):
    """OPT clearly in favour of ours, LLaMA by an offset."""
    return [
        *(text_cell(OURS, losses(0, 0.01, seed=2), model) for model in ("opt-tiny", "llama-tiny")),
        text_cell(FLAP, losses(0.3, 0.01, seed=3), "opt-tiny"),
        text_cell(FLAP, losses(offset, 0.01, seed=4), "llama-tiny"),
    ]


@pytest.mark.parametrize(("offset", "verdict"), [(0.1, HOLDS), (0.0, NOISE), (-0.1, FAILS)])
def test_every_model_must_agree_and_the_effect_is_their_mean(results, offset, verdict):
    found = better(results(two_models(offset)), table="table2", better=OURS, worse=[FLAP])
    assert (found.verdict, found.models, found.n) == (verdict, ("opt-tiny", "llama-tiny"), 400)
    assert found.effect == pytest.approx(100 * (np.exp((0.3 + offset) / 2) - 1), abs=0.3)
    assert 0 < found.low < found.effect < found.high  # the mean lies above zero whatever the verdict


def test_some_model_is_enough_where_the_claim_says_so(results):
    built = results(two_models(-0.1))
    found = better(built, table="table2", better=OURS, worse=[FLAP], quantifier="some")
    assert (found.verdict, found.n, found.note) == (HOLDS, 200, "holds in 1 of 2: opt-tiny")
    assert found.effect == pytest.approx(100 * (np.exp(0.3) - 1), abs=0.5)  # of that model: their mean would mislead
    assert better(built.of_models(["llama-tiny"]), table="table2", better=OURS, worse=[FLAP]).verdict is FAILS


def test_rivals_on_the_same_windows_are_averaged_before_they_are_resampled(results):
    """Ours deviates from window to window; two identical rivals do not: twice the windows would narrow the interval."""
    cells = [text_cell(OURS, losses(0, 0.1, seed=2)), *(text_cell(m, losses(0.1)) for m in (FLAP, SLICEGPT))]
    built = results(cells)
    one = better(built, table="table2", better=OURS, worse=[FLAP])
    both = better(built, table="table2", better=OURS, worse=[FLAP, SLICEGPT])
    assert (both.effect, both.n) == (pytest.approx(one.effect), one.n)
    assert both.high - both.low == pytest.approx(one.high - one.low, rel=0.1)


def test_other_sparsities_than_the_tables(results):
    cells = [
        text_cell(method, losses(offset), sparsity=sparsity)
        for sparsity, gap in ((0.1, 0.1), (0.3, 0.3))
        for method, offset in ((OURS, 0.0), (FLAP, gap))
    ]
    built = results(cells)
    found = better(built, table="table2", better=OURS, worse=[FLAP], sparsities=[0.1, 0.3])
    assert (found.verdict, found.effect) == (HOLDS, pytest.approx(100 * (np.exp(0.2) - 1)))
    assert better(built, table="table2", better=OURS, worse=[FLAP]).verdict is NOT_RUN  # none at 20%
    part = better(built, table="table2", better=OURS, worse=[FLAP], sparsities=[0.1, 0.2])
    assert part.verdict is NOT_RUN and part.note == "not judged: opt-tiny@0.2: sparsitysolver_recon was not run"


def test_missing_and_skipped_methods_are_named(results):
    built = results([text_cell(OURS, losses()), make_cell("opt-tiny", SVD, None)])
    assert "opt-tiny: flap was not run" in better(built, table="table2", better=OURS, worse=[FLAP]).note
    assert "svd_llm: not supported" in better(built, table="table2", better=OURS, worse=[SVD]).note
    assert better(built, table="table4", better="sparsitysolver_task", worse=["owl"]).verdict is NOT_RUN


def test_a_rival_that_was_not_run_leaves_the_model_out_and_one_without_support_does_not(results):
    cells = two_models(0.1)
    cells += [text_cell(SLICEGPT, losses(0.1), "opt-tiny"), make_cell("opt-tiny", SVD, None)]
    found = better(results(cells), table="table2", better=OURS, worse=[FLAP, SLICEGPT, SVD])
    assert (found.verdict, found.models) == (HOLDS, ("opt-tiny",))
    assert "llama-tiny: slicegpt was not run" in found.note
    found = better(
        results([*cells, make_cell("llama-tiny", SVD, None)]), table="table2", better=OURS, worse=[FLAP, SVD]
    )
    assert (found.verdict, found.models) == (HOLDS, ("opt-tiny", "llama-tiny"))
    assert found.note == "not judged: opt-tiny: svd_llm: not supported; llama-tiny: svd_llm: not supported"


def table2(**offsets):
    offsets = {SLICEGPT: 0.3, FLAP: 0.4, SVD: 0.5, "sparsitysolver": 0.2, OURS: 0.1} | offsets
    return [text_cell(method, losses(offset, 0.01, seed=n + 2)) for n, (method, offset) in enumerate(offsets.items())]


def test_best_row_is_better_than_the_best_of_the_others(results):
    built = results(table2())
    found = best_of(built, table="table2", method=OURS)
    assert (found.verdict, found.effect) == (HOLDS, pytest.approx(100 * (np.exp(0.1) - 1), abs=0.3))
    assert best_of(built, table="table2", method="sparsitysolver").verdict is FAILS
    assert best_of(results(table2(flap=0.1)), table="table2", method=OURS).verdict is NOISE


def test_a_row_without_support_is_left_out_of_the_best_and_one_not_run_is_not(results):
    cells = table2(flap=0.0)
    skipped = replace_cell(cells, make_cell("opt-tiny", FLAP, None))
    assert best_of(results(skipped), table="table2", method=OURS).verdict is HOLDS
    absent = best_of(results([c for c in cells if c["method"] != FLAP]), table="table2", method=OURS)
    assert absent.verdict is NOT_RUN and "flap was not run" in absent.note


RIGHT = {"mini_boolq": [19, 10, 10, 16], "mini_piqa": [19, 16, 10, 10], "mini_arc_easy": [19, 10, 10, 16]}


@pytest.fixture
def tasks(results):
    """Table 3 on a model: dense, SliceGPT, FLAP, then ours, of 40 items in each of three tasks."""
    cells = make_task_grid("table3", {task: [2 * n for n in right] for task, right in RIGHT.items()}, items=40)
    return results([cell for cell in cells if cell["method"] != "slicegpt_matched"], "local")


def test_average_over_tasks_is_stratified(tasks):
    found = better(tasks, table="table3", better="sparsitysolver_recon_c4", worse=["flap"])
    assert (found.verdict, found.effect, found.unit, found.n) == (HOLDS, pytest.approx(20), "points", 120)
    assert found.models == ("llama-tiny",)
    assert better(tasks, table="table3", better="flap", worse=["sparsitysolver_recon_c4"]).verdict is FAILS


def test_most_tasks_and_each_task(tasks):
    asked = {"table": "table3", "better": "sparsitysolver_recon_c4", "worse": ["slicegpt"], "column": "tasks"}
    most = better(tasks, quantifier="most", **asked)
    assert most.verdict is HOLDS
    assert most.note == "holds in 2 of 3: llama-tiny mini_boolq, llama-tiny mini_arc_easy"
    assert better(tasks, **asked).verdict is FAILS


def test_a_task_of_the_paper_stands_for_the_grids_task_of_its_kind(tasks):
    asked = {"table": "table3", "better": "sparsitysolver_recon_c4", "worse": ["slicegpt"]}
    assert better(tasks, column="boolq", **asked).effect == pytest.approx(30)
    assert better(tasks, column="piqa", **asked).effect == pytest.approx(-30)
    assert better(tasks, column="winogrande", **asked).verdict is NOT_RUN


def test_best_of_a_task_and_of_the_average(tasks):
    assert best_of(tasks, table="table3", method="slicegpt", column="piqa").verdict is HOLDS
    assert best_of(tasks, table="table3", method="slicegpt", column="boolq").verdict is FAILS
    tie = best_of(tasks, table="table3", method="sparsitysolver_recon_c4")  # both reconstructions have the same right
    assert (tie.verdict, tie.effect) == (NOISE, 0)


def test_an_average_lacks_where_a_task_lacks(results):
    cells = make_task_grid("table3", RIGHT)
    part = [c for c in cells if (c["method"], c["task"]) != ("flap", "mini_piqa")]
    found = better(results(part), table="table3", better="sparsitysolver_recon_c4", worse=["flap"])
    assert found.verdict is NOT_RUN and "llama-tiny average: flap was not run" in found.note


def sized(method, parameters, extra=0, model="opt-tiny"):
    cell = make_cell(model, method, 30.0)
    return cell | {"size": cell["size"] | {"parameters": parameters, "extra_parameters": extra}}


def test_parameters_are_counted(results):
    built = results([sized(OURS, 54), sized(SLICEGPT, 60), sized(OURS, 80, 0, "llama-tiny")])
    found = fewer_parameters(built, table="table2", method=OURS, than=SLICEGPT)
    assert (found.verdict, found.effect, found.low) == (HOLDS, pytest.approx(10), None)
    assert "llama-tiny: slicegpt was not run" in found.note
    assert fewer_parameters(built, table="table2", method=SLICEGPT, than=OURS).verdict is FAILS
    assert fewer_parameters(built, table="table2", method=OURS, than=FLAP).verdict is NOT_RUN


def test_numbers_within_an_allowed_range(results):
    matched = sized("slicegpt_matched", 54, 7)  # stands for SliceGPT in comparisons, and is not SliceGPT
    built = results([sized(OURS, 54), sized(SLICEGPT, 61, 7), sized(SLICEGPT, 65, 0, "llama-tiny"), matched])
    extra = {"measure": "extra_parameters", "table": "table2"}
    assert within(built, method=OURS, low=0, high=0, **extra).verdict is HOLDS
    found = within(built, method=SLICEGPT, low=1, **extra)
    assert (found.verdict, found.effect, found.n) == (FAILS, 3.5, 2)
    assert "outside: llama-tiny 0" in found.note
    whole = {"measure": "parameters", "table": "table2", "method": SLICEGPT}
    assert within(built, low=61, high=65, **whole).verdict is HOLDS
    assert within(built, low=61, high=64, **whole).verdict is FAILS
    assert within(built, method=FLAP, **extra).verdict is NOT_RUN
