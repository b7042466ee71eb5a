"""Broken results: whatever is wrong with a collected file, one error names the cell, and no table is written."""

import math

import numpy as np
import pytest
from cell_factory import edit_rows, make_cell, make_grid, make_task_grid

from sparsitysolver.cli import main
from sparsitysolver.records.files import content_key, write_json
from sparsitysolver.reporting.collected.collect import collect
from sparsitysolver.reporting.collected.samples import read_samples

MODELS = ("opt-125m", "opt-1.3b")


def with_windows(cell):
    """The cell with losses of three windows that give its perplexity."""
    value = cell["metrics"]["ppl"]["value"]
    windows = [math.log(value) + offset for offset in (-0.1, 0.0, 0.1)]
    return cell | {"windows": windows, "metrics": {"ppl": {"value": value, "stderr": 0.5, "n": 3}}}


CELLS = [with_windows(cell) for cell in make_grid(MODELS)]
FLAP = next(cell for cell in CELLS if cell["method"] == "flap")
KEY = content_key(FLAP)
NAME = f"opt-125m, flap, 0.2, seed 0, wikitext2 test (cell {KEY} in "


@pytest.fixture
def table(tmp_path, capsys):
    """Write cells and collect them; then the error of making Table 2."""
    results = tmp_path / "results"
    for cell in CELLS:
        write_json(results / "cells" / f"{content_key(cell)}.json", cell)
    collect(list(results.glob("cells/*.json")), results / "cells_table2.csv")

    class Table:
        """The collected files, and what becomes of them."""

        cells = results / "cells_table2.csv"
        samples = results / "cells_table2.samples.npz"

        def error(self) -> str:
            """One line, status 2, and nothing written."""
            out = tmp_path / "out"
            options = ["--models", *MODELS, "--tasks", "wikitext2", "--out", str(out)]
            assert main(["report", "table", "table2", "--cells", str(self.cells), *options]) == 2
            said = capsys.readouterr().err
            assert said.count("\n") == 1 and not out.exists()
            return said

        def edit(self, column: str, value: str, method: str = "flap", model: str = "opt-125m") -> str:
            """The error after one field was changed by hand."""

            def change(rows):
                for row in rows:
                    if (row["method"], row["model"]) == (method, model):
                        row[column] = value
                return rows

            edit_rows(self.cells, change)
            return self.error()

    return Table()


BROKEN = [("value", number) for number in ("NaN", "inf", "34,45", "x")]
BROKEN += [(column, text) for column in ("value", "n", "achieved_sparsity", "parameters") for text in ("nan", "")]
FIELDS = [
    *((column, text, f"{column} is '{text}', and a finite number is needed") for column, text in BROKEN),
    ("stderr", "nan", "stderr is 'nan', and a finite number is needed"),  # which may be missing
    ("sparsity", "a fifth", "sparsity is 'a fifth', and a finite number is needed"),
    ("value", "20.0", "ppl is 20 over 3 windows or items, and its samples give 34.45 over 3"),
    ("status", "fine", "unknown status 'fine'"),
    ("status", "skipped", "status 'skipped' and metric 'ppl' do not go together"),
    ("metric", "", "status 'ok' and metric '' do not go together"),
]


@pytest.mark.parametrize(("column", "value", "words"), FIELDS)
def test_field_that_no_cell_has_names_cell_and_column(table, column, value, words):
    name = NAME.replace("0.2", value) if column == "sparsity" else NAME
    assert f"{name}{table.cells}): {words}" in table.edit(column, value)


def test_redraw_says_the_same_and_writes_nothing(table, tmp_path, capsys):
    of_table = table.edit("value", "nan")
    axes = {"models": MODELS, "tasks": ["wikitext2"], "grid": "paper"}
    write_json(table.cells.with_name("table2.footnotes.json"), axes)
    assert main(["report", "redraw", str(table.cells.parent), "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == of_table
    assert not (tmp_path / "out").exists()


def test_cells_that_are_deleted_or_stand_twice(table):
    whole = table.cells.read_text()
    edit_rows(table.cells, lambda rows: [row for row in rows if row["cell"] != KEY])
    assert "table2 lacks 1 cell(s) (wikitext2 test, target sparsity 0.2): opt-125m × flap" in table.error()
    table.cells.write_text(whole)
    edit_rows(table.cells, lambda rows: [row for row in rows for _ in range(1 + (row["cell"] == KEY))])
    assert f"{NAME}{table.cells}): metric 'ppl' stands twice" in table.error()


def test_deleted_seed_is_no_mean_over_fewer_seeds(tmp_path, table):
    more = with_windows(make_cell(method="flap", value=36.0, seed=1))
    write_json(tmp_path / "results" / "cells" / f"{content_key(more)}.json", more)
    collect(list((tmp_path / "results").glob("cells/*.json")), table.cells)
    edit_rows(table.cells, lambda rows: [row for row in rows if row["seed"] != "1"])
    assert f"lacks cell {content_key(more)}, metric ppl, which has samples beside it" in table.error()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("fingerprint", "0123456789abcdef"),
        ("seqlen", "1024"),
        ("dtype", "float16"),
        ("weights_sha256", "other"),
        ("text_sha256", "other"),
    ],
)
def test_mixed_protocols_name_both_cells_the_field_and_both_values(table, column, value):
    error = table.edit(column, value)
    assert f"cells of one column must share their protocol, and '{column}' differs" in error
    assert f"'{value}' in {NAME}" in error
    assert error.count("opt-125m, ") == 2


def test_other_model_of_another_protocol(table):
    def change(rows):
        return [row | ({"dtype": "float16"} if row["model"] == "opt-1.3b" else {}) for row in rows]

    edit_rows(table.cells, change)
    error = table.error()
    assert "cells of one table must share their protocol, and 'dtype' differs" in error
    assert "opt-1.3b, " in error and "opt-125m, " in error


def test_file_that_is_cut_off_in_a_row(table):
    with_last = table.cells.read_text()
    table.cells.write_text(with_last[: with_last.rindex(",numpy")])
    assert f"{table.cells}, line 61: 47 cells, where the header has 54" in table.error()
    table.cells.write_text(with_last[: with_last.rindex(",") + 1])
    assert "opt-125m, uniform_recon, 0.2, seed 0, wikitext2 test (cell  in " in (error := table.error())
    assert "the row is cut off" in error
    table.cells.write_text(with_last[: with_last.rindex("\n\n")])  # inside a quoted field
    assert "cannot be read as a table of collected cells: unexpected end of data" in table.error()


def test_samples_that_are_not_the_cells(table):
    whole = read_samples(table.samples)

    def error(samples):
        with table.samples.open("wb") as handle:
            np.savez_compressed(handle, **samples)
        return table.error()

    lacking = {key: losses for key, losses in whole.items() if not key.startswith(KEY)}
    assert f"{NAME}{table.cells}): no samples of 'ppl', which other cells of its column have" in error(lacking)
    losses = whole[f"{KEY}/ppl"]
    for other in (losses[:-1], losses + 0.01, losses * np.nan):
        words = f"{NAME}{table.cells}): ppl is 34.45 over 3 windows or items, and its samples give"
        assert words in error(whole | {f"{KEY}/ppl": other})
    table.samples.write_bytes(table.samples.read_bytes()[:100])
    assert "cells_table2.samples.npz holds no samples of cells" in table.error()
    table.samples.unlink()
    assert "no samples at" in table.error()


def test_accuracy_is_compared_with_its_items(save, tmp_path, capsys):
    path = tmp_path / "cells.csv"
    collect(save(make_task_grid("table3", {"mini_boolq": [3, 2]}, items=4)), path)
    options = ["--models", "llama-tiny", "--out", str(tmp_path)]
    assert main(["report", "table", "table3", "--cells", str(path), *options]) == 0
    edit_rows(path, lambda rows: [row | ({"value": "0.25"} if row["method"] == "flap" else {}) for row in rows])
    assert main(["report", "table", "table3", "--cells", str(path), *options]) == 2
    assert "acc is 0.25 over 4 windows or items, and its samples give 0.5 over 4" in capsys.readouterr().err
