"""Tables of tasks and of sparsities: layout, percent, averages, verdicts, claims of order."""

import json

import pytest
from cell_factory import first_right, make_task_cell, make_task_grid, replace_cell
from task_cells import PAPER_TASKS, RIGHT, TASKS, paper_cells, perplexity_cells

from sparsitysolver.cli import main
from sparsitysolver.config.tables import load_definition
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.collected.collect import read_cells_csv
from sparsitysolver.reporting.compare.verdicts import Verdict
from sparsitysolver.reporting.pages.readme import table_section
from sparsitysolver.reporting.tables.files import table_command
from sparsitysolver.reporting.tables.judged import judge, not_comparable, verdict_of
from sparsitysolver.reporting.tables.orders import OrderClaim, order_claims
from sparsitysolver.reporting.tables.tables import build_table


@pytest.fixture
def table(collected):
    def build(cells, name="table3", models=("llama-tiny",), tasks=()):
        return build_table(name, read_cells_csv(collected(cells)), list(models), list(tasks))

    return build


# --- layout and numbers ---------------------------------------------------------------------------------------------


def test_columns_are_the_tasks_then_their_average_in_percent(table):
    frame = table(make_task_grid("table3", RIGHT), tasks=["mini_piqa", "mini_boolq"]).frame().set_index("Method")
    assert list(frame)[3:] == ["mini_piqa", "mini_boolq", "average"]
    assert list(frame.loc["Dense"])[3:] == ["70.00", "75.00", "72.50"]
    assert list(frame.loc["SliceGPT"]) == ["no", "yes", "yes", "40.00", "25.00", "32.50"]
    assert list(frame.index) == list(load_definition("table3").published.index)


def test_metric_shown_is_the_tasks_own(table):
    """The factory's acc of PIQA is the opposite of its acc_norm; the paper shows acc_norm."""
    built = table(make_task_grid("table3", RIGHT))
    assert [column.metric for column in built.columns] == ["acc", "acc_norm", "average"]
    assert built.entries["SliceGPT", "mini_piqa"].value == pytest.approx(40)


def test_tasks_the_cells_hold_stand_in_the_order_of_the_registry(table):
    grid = make_task_grid("table3", {"mini_openbookqa": [1], "mini_piqa": [2], "mini_boolq": [3]})
    assert [c.name for c in table(grid).columns] == ["mini_boolq", "mini_piqa", "mini_openbookqa", "average"]


def test_published_accuracies_give_the_published_rows(table):
    """Rows that are whole numbers of items print as published, and their average with them."""
    frame = table(paper_cells(), models=["llama-7b"]).frame().set_index("Method")
    published = load_definition("table3").published
    assert list(frame) == list(published)
    assert list(frame.loc["Dense"]) == list(published.loc["Dense"])
    assert frame.loc["SliceGPT", "boolq"] == "58.99"
    assert frame.loc["FLAP", "average"] == "61.19"


def test_no_average_where_a_task_has_no_number_and_the_reason_is_a_footnote(table):
    skipped = make_task_cell("mini_piqa", "flap", None, split="report")
    built = table(replace_cell(make_task_grid("table3", RIGHT), skipped))
    assert list(built.frame().set_index("Method").loc["FLAP"])[3:] == ["50.00", "-", "-"]
    notes = {note.reason: note.places for note in built.footnotes()}
    assert notes == {
        "not supported": (("FLAP", "mini_piqa"),),
        "no average without mini_piqa": (("FLAP", "average"),),
    }


def test_average_over_seeds_has_the_deviation_of_the_seeds_averages(table):
    cells = make_task_grid("table3", RIGHT)
    for task, right in (("mini_boolq", 14), ("mini_piqa", 6)):
        cells.append(make_task_cell(task, "flap", first_right(right, 20), seed=1))
    entry = table(cells).entries["FLAP", "average"]
    assert entry.by_seed == {0: 40, 1: 50}
    assert (entry.value, entry.seeds) == (45, 2)
    assert entry.sd == pytest.approx(50**0.5)


def test_average_says_where_tasks_were_measured_with_different_seeds(table):
    cells = [*make_task_grid("table3", RIGHT), make_task_cell("mini_boolq", "flap", first_right(14, 20), seed=1)]
    entry = table(cells).entries["FLAP", "average"]
    assert (entry.value, entry.sd) == (45, None)  # mean of 60 and 30
    assert entry.reason == "the tasks were measured with different seeds"


def test_missing_cells_of_tasks_are_named_by_task_and_method(table):
    cells = [c for c in make_task_grid("table3", RIGHT) if (c["method"], c["task"]) != ("flap", "mini_piqa")]
    with pytest.raises(SparsitySolverError, match=r"lacks 1 cell.*llama-tiny report.*0\.2\): mini_piqa × flap\."):
        table(cells)


def test_other_parts_of_the_items_are_not_shown(table):
    searched = make_task_grid("table3", {"mini_boolq": [20]}, split="search")
    assert table(make_task_grid("table3", RIGHT) + searched).entries["Dense", "mini_boolq"].value == 75


def test_dense_perplexity_is_repeated_at_every_sparsity(table):
    built = table(perplexity_cells(), "table1", ("opt-tiny", "llama-tiny"), ["mini"])
    frame = built.frame().set_index("Method")
    assert list(frame)[2:] == [f"{model}@{s}" for s in ("0.5", "0.6", "0.7") for model in ("opt-tiny", "llama-tiny")]
    assert list(frame.loc["Dense"])[2:] == ["10.00", "11.00"] * 3
    assert list(frame.loc["BESA"]) == ["yes", "no", "13.50", "14.50", "13.60", "14.60", "13.70", "14.70"]


def test_missing_cells_of_sparsities_are_named_and_dense_once(table):
    cells = [c for c in perplexity_cells() if c["method"] != "dense" or c["model"]["name"] == "opt-tiny"]
    cells = [c for c in cells if (c["method"], c["sparsity"], c["model"]["name"]) != ("owl", 0.6, "opt-tiny")]
    with pytest.raises(SparsitySolverError, match=r"lacks 2 cell.*: llama-tiny × dense; opt-tiny@0\.6 × owl\."):
        table(cells, "table1", ("opt-tiny", "llama-tiny"))


@pytest.mark.parametrize(
    ("name", "models", "tasks", "message"),
    [
        ("table3", ["llama-tiny", "opt-tiny"], TASKS, r"exactly one model; found 2: llama-tiny, opt-tiny"),
        ("table3", ["llama-tiny"], ["mini"], r"zero-shot tasks, each once; found mini.*known: boolq"),
        ("table3", ["llama-tiny"], ["mini_boolq", "mini_boolq"], r"each once; found mini_boolq, mini_boolq"),
        ("table3", ["opt-tiny"], [], r"zero-shot tasks, each once; found none"),
        ("table1", ["llama-tiny"], TASKS, r"table1 shows one perplexity task; found mini_boolq, mini_piqa"),
        ("table1", ["llama-tiny"], TASKS[:1], r"table1 shows one perplexity task; found mini_boolq"),
    ],
)
def test_models_and_tasks_that_a_table_cannot_show(table, name, models, tasks, message):
    with pytest.raises(SparsitySolverError, match=message):
        table(make_task_grid("table3", RIGHT), name, models, tasks)


@pytest.mark.parametrize("name", ["table1", "table3", "table4"])
def test_rows_are_those_of_the_paper_in_its_order_with_marks_for_the_others(name):
    definition = load_definition(name)
    assert [row.name for row in definition.rows] == list(definition.published.index)
    for row in definition.extended:
        assert set(row.marks) == set(definition.marks), row.name
        assert row.name not in definition.published.index


# --- files ------------------------------------------------------------------------------------------------------------


def test_command_line_writes_a_table_of_tasks(collected, tmp_path):
    path = collected(make_task_grid("table3", RIGHT))
    out = tmp_path / "out"
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


def test_command_line_refuses_two_models_for_tasks(collected, tmp_path, capsys):
    path = collected(make_task_grid("table3", RIGHT))
    options = ["--models", "llama-tiny", "opt-tiny", "--out", str(tmp_path)]
    assert main(["report", "table", "table3", "--cells", str(path), *options]) == 2
    assert "exactly one model" in capsys.readouterr().err


def test_latex_of_a_table_of_tasks_names_the_model_and_escapes_the_tasks(collected):
    path = collected(make_task_grid("table3", RIGHT))
    table_command("table3", path, ["llama-tiny"], path.parent)
    tex = (path.parent / "table3.tex").read_text()
    assert r"\caption{Zero-shot accuracy (\%) of structured pruning at 20\% sparsity (llama-tiny)}" in tex
    assert r"Additional Parameters & mini\_boolq & mini\_piqa & average \\" in tex
    assert r"\begin{tabular}{llllrrr}" in tex
    assert r"SliceGPT & no & yes & yes & 25.00 & 40.00 & 32.50 \\" in tex
    assert r"accuracy in \%: mean" in (path.parent / "table3_extended.tex").read_text()


def test_section_of_the_readme_names_the_model_that_columns_do_not(collected):
    path = collected(make_task_grid("table3", RIGHT) + perplexity_cells())
    table_command("table3", path, ["llama-tiny"], path.parent)
    table_command("table1", path, ["opt-tiny"], path.parent)
    assert "Generated from `table3.csv`; grid: tiny; model: llama-tiny." in table_section(path.parent, "table3", "tiny")
    assert "Generated from `table1.csv`; grid: tiny." in table_section(path.parent, "table1", "tiny")


# --- verdicts ---------------------------------------------------------------------------------------------------------


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


def test_papers_tasks_on_its_model_are_judged(table):
    built = table(paper_cells(), models=["llama-7b"])
    assert built.columns_of_paper == [*PAPER_TASKS, "average"]
    rows = [row.name for row in built.definition.rows]
    assert {verdict_of(built, row, column) for row in rows for column in built.columns_of_paper} == {Verdict.HOLDS}


@pytest.mark.parametrize("change", [{"model": "llama-13b"}, {"part": 2}])
def test_other_model_or_a_part_of_the_items_is_not_comparable(table, change):
    built = table(paper_cells(**change), models=[change.get("model", "llama-7b")])
    verdicts = {verdict_of(built, "Dense", column) for column in [*PAPER_TASKS, "average"]}
    assert verdicts == {Verdict.NOT_COMPARABLE}
    axis = "model llama-13b instead of llama-7b" if "model" in change else "items 1635 of 3270 instead of all"
    assert axis in not_comparable(built, "Dense", "boolq")


def test_average_over_some_of_the_papers_tasks_is_not_the_papers(table):
    built = table(paper_cells(), models=["llama-7b"], tasks=PAPER_TASKS[:3])
    assert built.columns_of_paper == PAPER_TASKS[:3]
    assert verdict_of(built, "Dense", "average") is Verdict.NOT_COMPARABLE
    assert verdict_of(built, "Dense", "boolq") is Verdict.HOLDS


def test_claims_of_order_take_higher_accuracy_for_better(table):
    claims = order_claims(table(make_task_grid("table4", RIGHT), "table4"))
    assert OrderClaim("Ours", "OWL", 8, 8) in claims
    assert OrderClaim("OWL", "Wanda", 8, 8) in claims
    assert not [c for c in claims if {c.better, c.worse} == {"BESA", "Wanda"}]  # four columns against four
