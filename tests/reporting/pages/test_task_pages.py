"""Tables of tasks and of sparsities on the page of all tables."""

import math

import pandas as pd
import pytest
from cell_factory import make_task_grid
from task_cells import RIGHT, paper_cells, perplexity_cells

from sparsitysolver import CONFIG
from sparsitysolver.config.tables import load_definition
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import read_json, write_json
from sparsitysolver.reporting.pages.paper_tables import paper_tables
from sparsitysolver.reporting.tables.files import table_command


def with_windows(cell):
    """The cell with three windows, each of the loss that its perplexity says."""
    value = cell["metrics"]["ppl"]["value"]
    return cell | {"windows": [math.log(value)] * 3, "metrics": {"ppl": {"value": value, "n": 3}}}


@pytest.fixture
def page(collected):
    """The page of a grid with Tables 1, 3 and 4, and its sections."""
    right4 = {"mini_boolq": [18, 2, 16, 8, 9], "mini_piqa": [18, 2, 16, 8, 9]}
    cells = [with_windows(cell) for cell in perplexity_cells()] + make_task_grid("table3", RIGHT)
    dense = {(c["task"], c["method"]) for c in cells if c["method"] == "dense"}
    cells += [c for c in make_task_grid("table4", right4) if (c["task"], c["method"]) not in dense]
    path = collected(cells)
    table_command("table1", path, ["opt-tiny", "llama-tiny"], path.parent)
    for name in ("table3", "table4"):
        table_command(name, path, ["llama-tiny"], path.parent)
    text = paper_tables(path.parent, "tiny")
    return {part.split(":")[0]: part for part in text.split("## Table ")[1:]} | {"folder": path.parent}


def line(section, *start):
    """The first row of a markdown table that starts with these cells."""
    lines = [[cell.strip() for cell in row.strip("|").split("|")] for row in section.splitlines() if row[:1] == "|"]
    return next(cells for cells in lines if cells[: len(start)] == list(start))


def test_mini_tasks_stand_among_what_the_paper_lacks(page):
    section = page["3"]
    assert "winogrande, arc_easy, arc_challenge, openbookqa, average (40 values," in section  # another average
    local = section[section.index("### Measured on this grid") :]
    assert line(local, "SliceGPT") == ["SliceGPT", "25.00", "40.00", "32.50"]
    assert "model: llama-tiny; task: mini_boolq, mini_piqa (report split)" in section
    assert "harness: lm_eval 0.4.13" in section
    assert line(section, "mini_piqa")[2:] == ["20", "256", "8", "1.0", "none", "mini", "r1"]


def test_claims_of_order_consider_the_interval(page):
    order = page["4"][page["4"].index("Claims of order") :]
    assert line(order, "OWL better than Wanda")[1:] == ["8 of 8", "order holds", "order holds", "order holds"]
    assert line(order, "Ours better than OWL")[1:] == ["8 of 8", "order reversed", "order reversed", "order reversed"]
    both = "inside the noise, on BESA (exact) too"  # 9 items right as well
    assert line(order, "Ours better than BESA")[1:] == ["8 of 8", *[both] * 3]


def test_one_line_says_how_many_gaps_are_noise(page):
    pairs = pd.read_csv(page["folder"] / "table4.pairs.csv", dtype=str)
    inside = int((pairs["verdict"] == "inside the noise").sum())
    assert (
        0 < inside < len(pairs) == 3 * (6 + 4 + 2)
    )  # BESA (exact) with three: Ours, as all extended rows, and two more
    told = (
        f"Pairwise gaps inside the noise: {inside} of 36 (95% intervals over paired items of one seed: seeds are not in"
    )
    assert told in page["4"]
    # Table 1: every row has one loss in all three windows, so no gap is noise.
    gaps = len(pd.read_csv(page["folder"] / "table1.pairs.csv"))
    assert f"Pairwise gaps inside the noise: 0 of {gaps} (95% intervals over paired windows of one seed" in page["1"]


def test_page_of_some_models_of_the_grid_and_of_others(page):
    folder = page["folder"]
    assert "llama-tiny" in paper_tables(folder, "tiny")  # one of three models of the grid
    with pytest.raises(SparsitySolverError, match=r"table1\.csv is not of grid 'opt125m': found opt-tiny, llama-tiny"):
        paper_tables(folder, "opt125m")
    sidecar = folder / "table1.footnotes.json"
    write_json(sidecar, {"footnotes": read_json(sidecar, "footnotes")["footnotes"]})
    with pytest.raises(SparsitySolverError, match="does not name the models and tasks of table1.csv; make the table"):
        paper_tables(folder, "tiny")


def test_papers_own_table_3_stands_beside_the_published_one(collected):
    path = collected(paper_cells(part=2))
    table_command("table3", path, ["llama-7b"], path.parent)
    section = paper_tables(path.parent, "local").split("## Table ")[3]
    assert line(section, "Dense") == ["Dense", "published", *load_definition("table3").published.loc["Dense"][3:]]
    assert line(section, "", "measured")[2] == "75.05"  # 1227 of 1635
    assert "- boolq: not the published protocol: items 1635 of 3270 instead of all." in section
    assert "### Models and tasks of this grid" not in section
    assert "Pairwise gaps: none compared, the cells hold no samples." in section


def test_titles_of_the_page_are_there_for_every_table():
    titles = pd.read_csv(CONFIG / "paper" / "titles.csv")["table"]
    assert {file.stem for file in (CONFIG / "tables").glob("*.yaml")} <= set(titles)
