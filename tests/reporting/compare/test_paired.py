"""Paired comparisons: intervals with known answers, equal differences, strata, and what the table of pairs says."""

import numpy as np
import pandas as pd
import pytest
from cell_factory import WINDOWS, losses, make_cell, make_grid, make_task_cell, make_task_grid, replace_cell, text_cell
from scipy.stats import t as student

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.collected.collect import read_cells_csv
from sparsitysolver.reporting.collected.samples import read_samples, samples_path
from sparsitysolver.reporting.compare.verdicts import Verdict
from sparsitysolver.reporting.tables.files import table_command
from sparsitysolver.reporting.tables.pairs import COLUMNS, compare_rows, read_pair_verdicts
from sparsitysolver.reporting.tables.tables import build_table


@pytest.fixture
def pairs(collected):
    """Pairs of a table by (column, first row, second row)."""

    def compare(cells, table="table2", models=("opt-tiny",)):
        path = collected(cells)
        built = build_table(table, read_cells_csv(path), list(models))
        found = compare_rows(built, read_samples(samples_path(path)))
        return {(pair.column.name, pair.first.name, pair.second.name): pair for pair in found}

    return compare


def test_pairs_are_those_of_the_papers_rows_their_equal_twins_and_the_extended_against_the_last(pairs):
    found = pairs(make_grid(("opt-tiny",)))
    names = [(first, second) for _, first, second in found]
    assert len(names) == 10 + 4 + 3
    assert names[:2] == [("SliceGPT", "FLAP"), ("SliceGPT", "SVD-LLM")]
    twin = "SliceGPT (parameter-matched)"
    assert [pair for pair in names if twin in pair] == [
        (twin, other) for other in ("FLAP", "SVD-LLM", "Ours", "Ours (Recon)")
    ]
    assert names[-1] == ("Uniform (Recon)", "Ours (Recon)")
    assert {pair.verdict for pair in found.values()} == {Verdict.NOT_RUN}  # cells without windows


def test_clear_gap_noise_and_identical_rows_of_perplexity(pairs):
    cells = make_grid(("opt-tiny",))
    samples = {"slicegpt": losses(), "flap": losses(0.1, 0.02, seed=2), "svd_llm": losses(0.1, 0.02, seed=3)}
    for method, windows in {**samples, "sparsitysolver": samples["svd_llm"]}.items():
        cells = replace_cell(cells, text_cell(method, windows))
    found = pairs(cells)
    clear = found["opt-tiny", "SliceGPT", "FLAP"]
    assert clear.verdict is Verdict.HOLDS
    clear = clear.comparison
    exact = 100 * (np.exp(np.mean(np.subtract(samples["slicegpt"], samples["flap"]))) - 1)
    assert clear.effect == pytest.approx(exact)
    assert clear.low < exact < clear.high < 0
    assert clear.n == WINDOWS
    # Paired: windows differ by 0.5 among themselves and the methods by 0.02, so the interval is narrow.
    assert clear.high - clear.low == pytest.approx(2 * 1.96 * 0.02 / np.sqrt(WINDOWS) * 100 * np.exp(-0.1), rel=0.2)
    assert found["opt-tiny", "FLAP", "SVD-LLM"].verdict is Verdict.NOISE
    same = found["opt-tiny", "SVD-LLM", "Ours"]
    assert (same.comparison.effect, same.comparison.low, same.comparison.high, same.verdict) == (0, 0, 0, Verdict.NOISE)
    assert found["opt-tiny", "SliceGPT", "Ours (Recon)"].verdict is Verdict.NOT_RUN  # which has no windows


def test_rows_of_different_seeds_are_averaged_over_theirs_first(pairs):
    cells = replace_cell(make_grid(("opt-tiny",)), text_cell("slicegpt", losses()))
    cells = replace_cell(cells, text_cell("flap", losses(0.3)))
    cells.append(text_cell("flap", losses(0.1), seed=1))
    found = pairs(cells)["opt-tiny", "SliceGPT", "FLAP"]
    assert found.comparison.effect == pytest.approx(100 * (np.exp(-0.2) - 1))
    assert (found.comparison.n, found.comparison.over) == (WINDOWS, "windows, not seeds")


def test_seeds_that_disagree_widen_the_interval(pairs):
    """Student's over two seeds, whose differences are 0.3 and 0.1: their mean is within 12.7 standard errors of 0.1."""
    cells = replace_cell(make_grid(("opt-tiny",)), text_cell("slicegpt", losses()))
    cells = replace_cell(cells, text_cell("flap", losses(0.3)))
    cells += [text_cell("slicegpt", losses(), seed=1), text_cell("flap", losses(0.1), seed=1)]
    found = pairs(cells)["opt-tiny", "SliceGPT", "FLAP"]
    assert found.comparison.effect == pytest.approx(100 * np.expm1(-0.2))
    half = student.ppf(0.975, 1) * 0.1  # windows do not vary here
    assert (found.comparison.low, found.comparison.high) == pytest.approx(
        (100 * np.expm1(-0.2 - half), 100 * np.expm1(-0.2 + half))
    )
    assert (found.verdict, found.comparison.over) == (Verdict.NOISE, "windows and 2 seeds")


def test_rows_and_seeds_of_other_lengths_are_refused(pairs):
    cells = replace_cell(make_grid(("opt-tiny",)), text_cell("slicegpt", losses()))
    other = replace_cell(cells, text_cell("flap", losses(windows=7)))
    with pytest.raises(SparsitySolverError, match=r"opt-tiny: SliceGPT was measured on 200 .* FLAP on 7"):
        pairs(other)
    seeds = [*cells, make_cell("opt-tiny", "slicegpt", windows=[1.0, 2.0], seed=1)]
    with pytest.raises(SparsitySolverError, match=r"stand in one entry and were measured on \[2, 200\]"):
        pairs(seeds)


def test_one_window_or_a_skipped_row_has_no_interval(pairs):
    cells = [make_cell("opt-tiny", cell["method"], windows=[3.0]) for cell in make_grid(("opt-tiny",))]
    cells = replace_cell(cells, make_cell("opt-tiny", "flap", None))
    assert {pair.verdict for pair in pairs(cells).values()} == {Verdict.NOT_RUN}


def test_higher_accuracy_is_better_and_the_average_is_stratified(pairs):
    """Wanda has 5 items more of 20 in one task and 5 fewer of 20 in the other; with 9.5 more of 20 it is better."""
    right = {"mini_boolq": [20, 15, 10, 15, 3], "mini_piqa": [20, 10, 15, 10, 3]}
    found = pairs(make_task_grid("table4", right), "table4", ("llama-tiny",))
    one, other = found["mini_boolq", "Wanda", "OWL"], found["mini_piqa", "Wanda", "OWL"]
    assert (one.comparison.effect, one.verdict, one.comparison.n) == (25, Verdict.HOLDS, 20)
    assert (other.comparison.effect, other.verdict) == (-25, Verdict.FAILS)
    average = found["average", "Wanda", "OWL"]
    assert (average.comparison.effect, average.verdict, average.comparison.n) == (0, Verdict.NOISE, 40)
    assert average.comparison.low < 0 < average.comparison.high
    assert found["average", "Wanda", "BESA"].verdict is Verdict.NOISE  # identical, item by item
    clear = found["average", "Wanda", "Ours"]
    assert (clear.comparison.effect, clear.verdict) == (pytest.approx(47.5), Verdict.HOLDS)


def test_average_weighs_tasks_and_not_items(pairs):
    cells = make_task_grid("table4", {"mini_boolq": [10, 10, 0]}, items=10)
    cells += make_task_grid("table4", {"mini_piqa": [0]}, items=90)
    found = pairs(cells, "table4", ("llama-tiny",))["average", "Wanda", "OWL"]
    assert (found.comparison.effect, found.comparison.n) == (50, 100)


def test_written_pairs_say_values_difference_interval_and_verdict(collected, tmp_path):
    cells = make_task_grid("table4", {"mini_boolq": [20, 15, 10], "mini_piqa": [20, 10]})
    cells = replace_cell(cells, make_task_cell("mini_piqa", "besa", None, split="report", sparsity=0.7))
    path = collected(cells)
    written = path.with_name("table4.pairs.csv")
    table_command("table4", path, ["llama-tiny"], path.parent)
    frame = pd.read_csv(written, dtype=str, keep_default_na=False)
    assert tuple(frame) == COLUMNS
    assert list(dict.fromkeys(frame["column"])) == ["mini_boolq", "mini_piqa", "average"]
    rows = frame.set_index(["column", "first row", "second row"])
    line = rows.loc[("mini_boolq", "Wanda", "OWL")]
    assert list(line)[:4] == ["75.00", "50.00", "25.000", "points"]
    assert 0 < float(line["low"]) < 25 < float(line["high"]) < 50
    assert (line["n"], line["verdict"], line["calibration"]) == ("20", "A better", "wikitext2")
    skipped = rows.loc[("average", "Wanda", "BESA")]
    assert list(skipped) == ["62.50", "-", "-", "points", "-", "-", "-", "-", "-", "-"]
    first = written.read_bytes()
    table_command("table4", path, ["llama-tiny"], path.parent)
    assert written.read_bytes() == first
    assert read_pair_verdicts(written)["mini_boolq", "Wanda", "OWL"] is Verdict.HOLDS


def test_reading_pairs_that_are_not_there_or_something_else(tmp_path):
    with pytest.raises(SparsitySolverError, match="no pairs at"):
        read_pair_verdicts(tmp_path / "table4.pairs.csv")
    for text in ("a,b\n1,2\n", "column,first row,second row,verdict\na,b,c,fine\n"):
        (tmp_path / "table4.pairs.csv").write_text(text)
        with pytest.raises(SparsitySolverError, match="is not a table of pairs"):
            read_pair_verdicts(tmp_path / "table4.pairs.csv")
