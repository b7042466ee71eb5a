"""Tables: the paper's layout, digits, means over seeds, footnotes, and cells that are missing."""

import json

import pandas as pd
import pytest
from cell_factory import METHODS, PUBLISHED_125M, make_cell, make_grid, replace_cell

from sparsitysolver import CONFIG
from sparsitysolver.config.tables import descriptive_columns, load_definition
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.collected.collect import read_cells_csv
from sparsitysolver.reporting.formats import tabular, tex_escape
from sparsitysolver.reporting.tables.files import table_command
from sparsitysolver.reporting.tables.tables import build_table

NAMES = ["Dense", "SliceGPT", "FLAP", "SVD-LLM", "Ours", "Ours (Recon)"]


@pytest.fixture
def table(collected):
    """Table 2 from cells."""

    def build(cells, models=("opt-125m",), **options):
        return build_table("table2", read_cells_csv(collected(cells)), list(models), **options)

    return build


@pytest.fixture
def written(collected, tmp_path):
    """Table 2 as files."""

    def write(cells, models=("opt-125m",)):
        table_command("table2", collected(cells), list(models), tmp_path / "results")
        return tmp_path / "results"

    return write


def text(path):
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def test_layout_and_digits_are_the_papers(written):
    """Cells with the published values of OPT-125M give its published column, byte for byte, less the asterisk."""
    measured = (written(make_grid()) / "table2.csv").read_text()
    published = text(CONFIG / "paper" / "table2.csv")
    columns = [name for name in list(published)[:6] if name != "Reproduced"]  # the paper's asterisk is the paper's
    assert measured == published[columns].to_csv(index=False)
    assert "SliceGPT,no,yes,yes,34.10\n" in measured


def test_columns_are_the_models_of_the_grid_in_grid_order(table):
    frame = table(make_grid(("opt-tiny", "opt-125m", "llama-tiny")), ("llama-tiny", "opt-tiny", "opt-125m")).frame()
    assert list(frame)[4:] == ["llama-tiny", "opt-tiny", "opt-125m"]
    assert list(frame["Method"]) == NAMES


def test_mean_over_seeds_with_deviation_in_the_extended_table(written):
    folder = written([*make_grid(), make_cell(method="flap", value=35.45, seed=1)])
    assert text(folder / "table2.csv").set_index("Method").loc["FLAP", "opt-125m"] == "34.95"
    extended = text(folder / "table2_extended.csv").set_index("Method")
    row = extended.loc["FLAP"]
    assert (row["opt-125m"], row["opt-125m sd"], row["opt-125m seeds"]) == ("34.95", "0.71", "2")
    assert (row["opt-125m achieved sparsity"], row["opt-125m parameters"]) == ("0.2000", "125239296")
    assert (extended.loc["Dense", "opt-125m sd"], extended.loc["Dense", "opt-125m seeds"]) == ("-", "1")
    assert "34.95 $\\pm$ 0.71 (2)" in (folder / "table2_extended.tex").read_text()


def test_extended_has_the_papers_rows_first_and_then_those_it_lacks(table):
    frame = table(make_grid()).extended_frame()
    assert list(frame["Method"])[:6] == NAMES
    assert list(frame["Method"])[6:] == [row.name for row in load_definition("table2").extended]
    assert frame.set_index("Method").loc["Uniform (Recon)", "Weight Update"] == "yes"


def test_dense_is_taken_at_sparsity_zero_and_others_at_the_tables(table):
    other = [make_cell(method="flap", value=99.0, sparsity=0.3), make_cell(value=99.0, sparsity=0.2)]
    entries = table(make_grid() + other).entries
    assert entries["FLAP", "opt-125m"].value == 34.45
    assert entries["Dense", "opt-125m"].value == 27.64


def test_skipped_combination_is_a_dash_with_a_numbered_footnote(written):
    cells = replace_cell(make_grid(), make_cell(method="svd_llm", value=None, reason="no OPT-125M code"))
    cells = replace_cell(cells, make_cell(method="flap", value=None, reason="needs 100% of a GPU"))
    cells = replace_cell(cells, make_cell(method="svd_llm_update", value=None, reason="no OPT-125M code"))
    folder = written(cells)
    assert list(text(folder / "table2.csv")["opt-125m"])[2:4] == ["-", "-"]
    notes = json.loads((folder / "table2.footnotes.json").read_text())["footnotes"]
    assert [(note["number"], note["reason"]) for note in notes] == [(1, "needs 100% of a GPU"), (2, "no OPT-125M code")]
    assert notes[1]["places"] == [["SVD-LLM", "opt-125m"], ["SVD-LLM (closed-form update)", "opt-125m"]]
    tex = (folder / "table2.tex").read_text()
    assert r"-\textsuperscript{1}" in tex
    assert r"(1) FLAP $\times$ opt-125m: needs 100\% of a GPU" in tex
    assert "closed-form" not in tex


def test_some_seeds_skipped_gives_the_mean_of_the_others_and_a_footnote(table):
    built = table([*make_grid(), make_cell(method="flap", value=None, seed=1)])
    entry = built.entries["FLAP", "opt-125m"]
    assert (entry.value, entry.seeds, entry.sd) == (34.45, 1, None)
    assert built.footnotes()[0].reason == "1 of 2 seeds skipped: not supported"


TWO_MODELS = ("opt-tiny", "opt-125m")
WITHOUT = {("opt-125m", "flap"), ("opt-tiny", "uniform")}
OF_C4 = make_cell(method="flap", value=30.0, calibration={"source": "c4", "tokens": 1})
OF_ACCURACY = make_cell(method="flap", metrics={"acc": {"value": 0.5, "n": 1}})


@pytest.mark.parametrize(
    ("cells", "models", "words"),
    [
        (
            [cell for cell in make_grid(TWO_MODELS) if (cell["model"]["name"], cell["method"]) not in WITHOUT],
            TWO_MODELS,
            r"lacks 2 cell.*wikitext2 test.*opt-125m × flap; opt-tiny × uniform",
        ),
        (
            [*make_grid(), OF_C4],
            ("opt-125m",),
            r"opt-125m × flap, seed 0: cells .* and .* stand for the same entry",
        ),
        (replace_cell(make_grid(), OF_ACCURACY), ("opt-125m",), r"opt-125m × flap: cell .* has no metric 'ppl'"),
        (make_grid(), (), "no models"),
        (make_grid(), ("opt-13b",), "no perplexity cells for opt-13b"),
    ],
)
def test_cells_and_models_that_make_no_table(table, cells, models, words):
    with pytest.raises(SparsitySolverError, match=words):
        table(cells, models)


def test_perplexity_task_is_the_grids_own_unless_there_are_several(table):
    mini = make_grid(task="mini", fingerprint={"dataset": "mini"})
    assert table(mini).columns[0].task == "mini"
    with pytest.raises(SparsitySolverError, match=r"several perplexity tasks \(mini, wikitext2\)"):
        table(mini + make_grid())
    assert table(mini + make_grid(), tasks=["mini"]).columns[0].task == "mini"


def test_unknown_table_gives_near_names():
    with pytest.raises(SparsitySolverError, match="unknown table 'tabel2'; did you mean table2"):
        load_definition("tabel2")


def test_columns_by_model_and_sparsity_are_named_and_ordered_as_in_table_1(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "paper").mkdir()
    (tmp_path / "paper" / "table1.csv").write_bytes((CONFIG / "paper" / "table1.csv").read_bytes())
    (tmp_path / "tables" / "table1.yaml").write_text(
        "{title: t, published: paper/table1.csv, columns: models@sparsity, task: wikitext2, split: test,"
        " sparsity: [0.5, 0.6, 0.7], rows: [{name: Dense, method: dense}]}"
    )
    definition = load_definition("table1", tmp_path)
    columns = definition.columns(["llama-7b", "llama-13b"], ["wikitext2"])
    assert [column.name for column in columns] == definition.published_columns


@pytest.mark.parametrize("number", range(1, 7))
def test_descriptive_columns_are_told_from_numbers(number):
    published = load_definition(f"table{number}").published
    assert descriptive_columns(published) == [c for c in published if set(published[c]) <= {"yes", "no", "-"}]


def test_latex_is_booktabs_and_escaped(written):
    tex = (written(make_grid()) / "table2.tex").read_text()
    assert r"\toprule" in tex
    assert r"at 20\% sparsity" in tex
    assert "34.10" in tex
    assert tex_escape(r"a_b & 5% {x} \y #1 $2 ~^") == (
        r"a\_b \& 5\% \{x\} \textbackslash{}y \#1 \$2 \textasciitilde{}\textasciicircum{}"
    )
    assert r"50\%\_x & 1 \\" in tabular(pd.DataFrame({"Method": ["50%_x"], "m_1": ["1"]}), 1)
    assert r"Method & m\_1 \\" in tabular(pd.DataFrame({"Method": ["50%_x"], "m_1": ["1"]}), 1)


def test_same_files_for_the_same_cells(written):
    folder = written(make_grid(("opt-125m", "opt-tiny")), ("opt-125m", "opt-tiny"))
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    written(make_grid(("opt-tiny", "opt-125m")), ("opt-125m", "opt-tiny"))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    assert len(first) == 9


def test_markdown_has_the_paper_rows_then_those_it_lacks_and_footnotes_of_both(written):
    cells = replace_cell(make_grid(), make_cell(method="uniform", value=None, reason="no | here"))
    lines = (written(cells) / "table2.md").read_text().splitlines()
    assert lines[0] == "**WikiText-2 perplexity of structured pruning at 20% sparsity**"
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    assert rows[0] == ["Method", "Searched Sparsity", "Weight Update", "Additional Parameters", "opt-125m"]
    assert rows[2] == ["SliceGPT", "no", "yes", "yes", "34.10"]
    assert [row[0] for row in rows[1:7]] == NAMES
    assert rows[7] == ["Method", "opt-125m"]
    assert rows[10] == ["Uniform", "-"]
    assert lines[-1] == "- (1) Uniform × opt-125m: no | here"


def test_factory_covers_every_method_of_the_table():
    definition = load_definition("table2")
    assert [row.method for row in (*definition.rows, *definition.extended)] == METHODS == list(PUBLISHED_125M)


def test_a_table_says_in_which_versions_its_cells_differ(written):
    def note(cells):
        return [line for line in (written(cells) / "table2.md").read_text().splitlines() if "versions" in line]

    assert not note(make_grid())
    other = make_cell(method="flap", value=34.45)
    other["provenance"]["versions"]["torch"] = "2.14.1"
    (line,) = note(replace_cell(make_grid(), other))
    assert line == "Cells of this table were made with different versions: torch 2.14.1 (1 cell) and 2.8 (9 cells)."
