"""Tables: the paper's layout, digits, means over seeds and tasks, footnotes, verdicts, and cells that are missing."""

import json

import pandas as pd
import pytest
from cell_factory import (
    METHODS,
    PUBLISHED_125M,
    first_right,
    make_cell,
    make_grid,
    make_task_cell,
    make_task_grid,
    replace_cell,
)
from task_cells import PAPER_TASKS, RIGHT, TASKS, paper_cells, perplexity_cells

from sparsitysolver import CONFIG
from sparsitysolver.cli import main
from sparsitysolver.config.tables import descriptive_columns, load_definition
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.collected.collect import read_cells_csv
from sparsitysolver.reporting.compare.verdicts import Verdict
from sparsitysolver.reporting.formats import tabular, tex_escape
from sparsitysolver.reporting.pages.readme import table_section
from sparsitysolver.reporting.tables.files import table_command
from sparsitysolver.reporting.tables.judged import judge, not_comparable, verdict_of
from sparsitysolver.reporting.tables.orders import OrderClaim, order_claims
from sparsitysolver.reporting.tables.tables import build_table

NAMES = ["Dense", "SliceGPT", "FLAP", "SVD-LLM", "Ours", "Ours (Recon)"]
MODELS = {"table1": ("opt-tiny", "llama-tiny"), "table2": ("opt-125m",), "table3": ("llama-tiny",)}
TASK_GRID = make_task_grid("table3", RIGHT)


@pytest.fixture
def table(collected):
    """A table from cells."""

    def build(cells, name="table2", models=None, tasks=()):
        models = MODELS.get(name, MODELS["table3"]) if models is None else models
        return build_table(name, read_cells_csv(collected(cells)), list(models), list(tasks))

    return build


@pytest.fixture
def written(collected, tmp_path):
    """A table as files."""

    def write(cells, name="table2", models=None):
        table_command(name, collected(cells), list(models or MODELS[name]), tmp_path / "results")
        return tmp_path / "results"

    return write


def text(path):
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def of_columns(table, row):
    """The numbers of a row, as printed."""
    frame = table.frame().set_index("Method")
    return list(frame.loc[row])[len(table.definition.marks) :]


# --- layout and numbers ---------------------------------------------------------------------------------------------


def test_layout_and_digits_are_the_papers(written):
    """Cells with the published values of OPT-125M give its published column, byte for byte, less the asterisk."""
    measured = (written(make_grid()) / "table2.csv").read_text()
    published = text(CONFIG / "paper" / "table2.csv")
    columns = [name for name in list(published)[:6] if name != "Reproduced"]  # the paper's asterisk is the paper's
    assert measured == published[columns].to_csv(index=False)
    assert "SliceGPT,no,yes,yes,34.10\n" in measured


def test_columns_are_the_models_of_the_grid_in_grid_order_and_rows_those_of_the_paper_first(table):
    models = ("llama-tiny", "opt-tiny", "opt-125m")
    built = table(make_grid(("opt-tiny", "opt-125m", "llama-tiny")), models=models)
    assert list(built.frame())[4:] == list(models)
    assert list(built.frame()["Method"]) == NAMES
    extended = built.extended_frame().set_index("Method")
    assert list(extended.index) == [*NAMES, *(row.name for row in load_definition("table2").extended)]
    assert extended.loc["Uniform (Recon)", "Weight Update"] == "yes"


def test_mean_over_seeds_with_deviation_in_the_extended_table(written):
    folder = written([*make_grid(), make_cell(method="flap", value=35.45, seed=1)])
    assert text(folder / "table2.csv").set_index("Method").loc["FLAP", "opt-125m"] == "34.95"
    extended = text(folder / "table2_extended.csv").set_index("Method")
    row = extended.loc["FLAP"]
    assert (row["opt-125m"], row["opt-125m sd"], row["opt-125m seeds"]) == ("34.95", "0.71", "2")
    assert (row["opt-125m achieved sparsity"], row["opt-125m parameters"]) == ("0.2000", "125239296")
    assert (extended.loc["Dense", "opt-125m sd"], extended.loc["Dense", "opt-125m seeds"]) == ("-", "1")
    assert "34.95 $\\pm$ 0.71 (2)" in (folder / "table2_extended.tex").read_text()


def test_dense_is_taken_at_sparsity_zero_and_others_at_the_tables(table):
    other = [make_cell(method="flap", value=99.0, sparsity=0.3), make_cell(value=99.0, sparsity=0.2)]
    entries = table(make_grid() + other).entries
    assert entries["FLAP", "opt-125m"].value == 34.45
    assert entries["Dense", "opt-125m"].value == 27.64


def test_columns_are_the_tasks_then_their_average_in_percent(table):
    """The metric is the task's own: the factory's acc of PIQA is the opposite of its acc_norm, which the paper shows.

    Items of another part are not shown.
    """
    searched = make_task_grid("table3", {"mini_boolq": [20]}, split="search")
    built = table(TASK_GRID + searched, "table3", tasks=["mini_piqa", "mini_boolq"])
    assert list(built.frame())[4:] == ["mini_piqa", "mini_boolq", "average"]
    assert [column.metric for column in built.columns] == ["acc_norm", "acc", "average"]
    assert of_columns(built, "Dense") == ["70.00", "75.00", "72.50"]
    assert of_columns(built, "SliceGPT") == ["40.00", "25.00", "32.50"]
    assert list(built.frame()["Method"]) == list(load_definition("table3").published.index)


def test_tasks_the_cells_hold_stand_in_the_order_of_the_registry(table):
    grid = make_task_grid("table3", {"mini_openbookqa": [1], "mini_piqa": [2], "mini_boolq": [3]})
    assert [c.name for c in table(grid, "table3").columns] == ["mini_boolq", "mini_piqa", "mini_openbookqa", "average"]


def test_perplexity_task_is_the_grids_own_unless_there_are_several(table):
    mini = make_grid(task="mini", fingerprint={"dataset": "mini"})
    assert table(mini).columns[0].task == "mini"
    assert table(mini + make_grid(), tasks=["mini"]).columns[0].task == "mini"


def test_average_over_seeds_has_the_deviation_of_the_seeds_averages(table):
    more = [
        make_task_cell(task, "flap", first_right(right, 20), seed=1)
        for task, right in (("mini_boolq", 14), ("mini_piqa", 6))
    ]
    entry = table(TASK_GRID + more, "table3").entries["FLAP", "average"]
    assert entry.by_seed == {0: 40, 1: 50}
    assert (entry.value, entry.seeds) == (45, 2)
    assert entry.sd == pytest.approx(50**0.5)
    entry = table(TASK_GRID + more[:1], "table3").entries["FLAP", "average"]
    assert (entry.value, entry.sd) == (45, None)  # mean of 60 and 30
    assert entry.reason == "the tasks were measured with different seeds"


def test_dense_perplexity_is_repeated_at_every_sparsity(table):
    built = table(perplexity_cells(), "table1", tasks=["mini"])
    columns = [f"{model}@{s}" for s in ("0.5", "0.6", "0.7") for model in ("opt-tiny", "llama-tiny")]
    assert list(built.frame())[3:] == columns
    assert of_columns(built, "Dense") == ["10.00", "11.00"] * 3
    assert of_columns(built, "BESA") == ["13.50", "14.50", "13.60", "14.60", "13.70", "14.70"]


def test_columns_by_model_and_sparsity_are_named_and_ordered_as_in_table_1():
    definition = load_definition("table1")
    models = list(dict.fromkeys(name.split("@")[0] for name in definition.published_columns))
    columns = definition.columns(models, ["wikitext2"])
    assert [column.name for column in columns] == definition.published_columns


@pytest.mark.parametrize("number", range(1, 7))
def test_definitions_fit_their_published_tables(number):
    definition = load_definition(f"table{number}")
    published = definition.published
    assert descriptive_columns(published) == [c for c in published if set(published[c]) <= {"yes", "no", "-"}]
    assert [row.name for row in definition.rows] == list(published.index)
    for row in definition.extended:
        assert set(row.marks) == set(definition.marks), row.name
        assert row.name not in published.index


def test_factory_covers_every_method_of_table_2():
    assert [row.method for row in load_definition("table2").all_rows] == METHODS == list(PUBLISHED_125M)


# --- cells and models that make no table ----------------------------------------------------------------------------

TWO_MODELS = ("opt-tiny", "opt-125m")
WITHOUT = {("opt-125m", "flap"), ("opt-tiny", "uniform")}
OF_C4 = make_cell(method="flap", value=30.0, calibration={"source": "c4", "tokens": 1})
OF_ACCURACY = make_cell(method="flap", metrics={"acc": {"value": 0.5, "n": 1}})
SEVERAL = make_grid(task="mini", fingerprint={"dataset": "mini"}) + make_grid()
DENSE_ONCE = [
    cell
    for cell in perplexity_cells()
    if (cell["method"], cell["model"]["name"]) != ("dense", "llama-tiny")
    and (cell["method"], cell["sparsity"], cell["model"]["name"]) != ("owl", 0.6, "opt-tiny")
]


@pytest.mark.parametrize(
    ("cells", "name", "models", "tasks", "words"),
    [
        (
            [cell for cell in make_grid(TWO_MODELS) if (cell["model"]["name"], cell["method"]) not in WITHOUT],
            *("table2", TWO_MODELS, ()),
            r"lacks 2 cell.*wikitext2 test.*opt-125m × flap; opt-tiny × uniform",
        ),
        (
            [cell for cell in TASK_GRID if (cell["method"], cell["task"]) != ("flap", "mini_piqa")],
            *("table3", None, ()),
            r"lacks 1 cell.*llama-tiny report.*0\.2\): mini_piqa × flap\.",
        ),
        (DENSE_ONCE, "table1", None, (), r"lacks 2 cell.*: llama-tiny × dense; opt-tiny@0\.6 × owl\."),
        (
            [*make_grid(), OF_C4],
            "table2",
            None,
            (),
            r"opt-125m × flap, seed 0: cells .* and .* stand for the same entry",
        ),
        (replace_cell(make_grid(), OF_ACCURACY), "table2", None, (), r"opt-125m × flap: cell .* has no metric 'ppl'"),
        (make_grid(), "table2", (), (), "no models"),
        (make_grid(), "table2", ("opt-13b",), (), "no perplexity cells for opt-13b"),
        (make_grid(), "tabel2", ("opt-125m",), (), "unknown table 'tabel2'; did you mean table2"),
        (SEVERAL, "table2", None, (), r"several perplexity tasks \(mini, wikitext2\)"),
        *(
            (TASK_GRID, name, models, tasks, words)
            for name, models, tasks, words in [
                ("table3", ["llama-tiny", "opt-tiny"], TASKS, r"exactly one model; found 2: llama-tiny, opt-tiny"),
                ("table3", None, ["mini"], r"zero-shot tasks, each once; found mini.*known: boolq"),
                ("table3", None, ["mini_boolq"] * 2, r"each once; found mini_boolq, mini_boolq"),
                ("table3", ["opt-tiny"], [], r"zero-shot tasks, each once; found none"),
                ("table1", ["llama-tiny"], TASKS, r"table1 shows one perplexity task; found mini_boolq, mini_piqa"),
                ("table1", ["llama-tiny"], TASKS[:1], r"table1 shows one perplexity task; found mini_boolq"),
            ]
        ),
    ],
)
def test_cells_models_and_tasks_that_make_no_table(table, cells, name, models, tasks, words):
    with pytest.raises(SparsitySolverError, match=words):
        table(cells, name, models, tasks)


# --- footnotes ------------------------------------------------------------------------------------------------------


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


def test_no_average_where_a_task_has_no_number_and_the_reason_is_a_footnote(table):
    skipped = make_task_cell("mini_piqa", "flap", None, split="report")
    built = table(replace_cell(TASK_GRID, skipped), "table3")
    assert of_columns(built, "FLAP") == ["50.00", "-", "-"]
    notes = {note.reason: note.places for note in built.footnotes()}
    assert notes == {
        "not supported": (("FLAP", "mini_piqa"),),
        "no average without mini_piqa": (("FLAP", "average"),),
    }


def test_a_table_says_in_which_versions_its_cells_differ(written):
    def note(cells):
        return [line for line in (written(cells) / "table2.md").read_text().splitlines() if "versions" in line]

    assert not note(make_grid())
    other = make_cell(method="flap", value=34.45)
    other["provenance"]["versions"]["torch"] = "2.14.1"
    (line,) = note(replace_cell(make_grid(), other))
    assert line == "Cells of this table were made with different versions: torch 2.14.1 (1 cell) and 2.8 (9 cells)."


# --- files ----------------------------------------------------------------------------------------------------------


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
    folder = written(make_grid(("opt-125m", "opt-tiny")), models=("opt-125m", "opt-tiny"))
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    written(make_grid(("opt-tiny", "opt-125m")), models=("opt-125m", "opt-tiny"))
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


def test_command_line_writes_a_table_of_tasks_and_latex_and_readme_name_its_model(collected, tmp_path):
    path, out = collected(TASK_GRID + perplexity_cells()), tmp_path / "out"
    options = ["--models", "llama-tiny", "--tasks", *TASKS, "--out", str(out), "--grid", "tiny"]
    assert main(["report", "table", "table3", "--cells", str(path), *options]) == 0
    assert {file.name for file in out.iterdir()} == {
        *("table3.csv", "table3.tex", "table3_extended.csv", "table3_extended.tex"),
        *("table3.md", "table3.footnotes.json", "table3.pairs.csv"),
    }
    assert (out / "table3.csv").read_text().splitlines()[:2] == [
        "Method,Searched Sparsity,Weight Update,Additional Parameters,mini_boolq,mini_piqa,average",
        "Dense,-,-,-,75.00,70.00,72.50",
    ]
    axes = json.loads((out / "table3.footnotes.json").read_text())
    assert (axes["models"], axes["tasks"], axes["grid"]) == (["llama-tiny"], TASKS, "tiny")
    tex = (out / "table3.tex").read_text()
    assert r"\caption{Zero-shot accuracy (\%) of structured pruning at 20\% sparsity (llama-tiny)}" in tex
    assert r"Additional Parameters & mini\_boolq & mini\_piqa & average \\" in tex
    assert r"\begin{tabular}{llllrrr}" in tex
    assert r"SliceGPT & no & yes & yes & 25.00 & 40.00 & 32.50 \\" in tex
    assert r"accuracy in \%: mean" in (out / "table3_extended.tex").read_text()
    assert "Generated from `table3.csv`; grid: tiny; model: llama-tiny." in table_section(out, "table3", "tiny")
    table_command("table1", path, ["opt-tiny"], out)
    assert "Generated from `table1.csv`; grid: tiny." in table_section(out, "table1", "tiny")


# --- verdicts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["acc", "acc_norm", "average"])
@pytest.mark.parametrize(
    ("measured", "method", "verdict"),
    [
        (75.17, "dense", Verdict.HOLDS),  # 0.15 points
        (75.18, "dense", Verdict.FAILS),
        (74.02, "flap", Verdict.HOLDS),  # one point
        (74.01, "flap", Verdict.FAILS),
    ],
)
def test_tolerances_of_accuracy_are_in_points(metric, measured, method, verdict):
    assert judge("75.02", measured, metric, method) is verdict


def test_published_accuracies_give_the_published_rows_which_are_judged(table):
    """Rows that are whole numbers of items print as published, and their average with them."""
    built = table(paper_cells(), "table3", ["llama-7b"])
    frame, published = built.frame().set_index("Method"), built.definition.published
    assert list(frame) == list(published)
    assert list(frame.loc["Dense"]) == list(published.loc["Dense"])
    assert frame.loc["SliceGPT", "boolq"] == "58.99"
    assert frame.loc["FLAP", "average"] == "61.19"
    assert built.columns_of_paper == [*PAPER_TASKS, "average"]
    rows = [row.name for row in built.definition.rows]
    assert {verdict_of(built, row, column) for row in rows for column in built.columns_of_paper} == {Verdict.HOLDS}


@pytest.mark.parametrize("change", [{"model": "llama-13b"}, {"part": 2}])
def test_other_model_or_a_part_of_the_items_is_not_comparable(table, change):
    built = table(paper_cells(**change), "table3", [change.get("model", "llama-7b")])
    verdicts = {verdict_of(built, "Dense", column) for column in [*PAPER_TASKS, "average"]}
    assert verdicts == {Verdict.NOT_COMPARABLE}
    axis = "model llama-13b instead of llama-7b" if "model" in change else "items 1635 of 3270 instead of all"
    assert axis in not_comparable(built, "Dense", "boolq")


def test_average_over_some_of_the_papers_tasks_is_not_the_papers(table):
    built = table(paper_cells(), "table3", ["llama-7b"], PAPER_TASKS[:3])
    assert built.columns_of_paper == PAPER_TASKS[:3]
    assert verdict_of(built, "Dense", "average") is Verdict.NOT_COMPARABLE
    assert verdict_of(built, "Dense", "boolq") is Verdict.HOLDS


def test_claims_of_order_take_higher_accuracy_for_better(table):
    claims = order_claims(table(make_task_grid("table4", RIGHT), "table4"))
    assert OrderClaim("Ours", "OWL", 8, 8) in claims
    assert OrderClaim("OWL", "Wanda", 8, 8) in claims
    assert not [c for c in claims if {c.better, c.worse} == {"BESA", "Wanda"}]  # four columns against four
