"""Generated pages: published beside measured, local models apart, deterministic; sections of the README."""

import pandas as pd
import pytest
from cell_factory import make_cell, make_grid, replace_cell
from planned import make_assets

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.plans.grid import Grid
from sparsitysolver.reporting.formats import markdown
from sparsitysolver.reporting.pages.paper_tables import paper_tables_command
from sparsitysolver.reporting.pages.readme import fill, readme_command
from sparsitysolver.reporting.tables.files import table_command


@pytest.fixture
def results(collected):
    def write(cells, models):
        path = collected(cells)
        table_command("table2", path, list(models), path.parent)
        return path.parent

    return write


@pytest.fixture
def page(results, tmp_path):
    def write(cells, models=("opt-125m",), grid="local"):
        paper_tables_command(results(cells, models), tmp_path / "paper_tables.md", grid)
        return (tmp_path / "paper_tables.md").read_text()

    return write


def rows(text, start):
    """Table rows from a row that starts with a cell to the next empty line, as lists of cells."""
    lines = text[text.index(f"| {start} ") :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_published_measured_and_verdict_stand_beneath_each_other(page):
    text = page(replace_cell(make_grid(), make_cell(method="flap", value=40.0)), grid="opt125m")
    section = text[text.index("## Table 2") : text.index("## Table 3")]
    flap = rows(section, "FLAP")
    assert flap[0] == ["FLAP", "published", "34.45"]
    assert flap[1] == ["", "measured", "40.00"]
    assert flap[2] == ["", "verdict", "deviates"]
    assert rows(section, "SliceGPT")[2][2] == "reproduced"
    assert "Published values of these columns: 5 reproduced, 1 deviates, 0 not comparable, 0 not run" in section
    assert "does not measure, so not comparable: opt-1.3b, opt-2.7b," in section
    assert "mistral-7b (46 values, in `config/paper/table2.csv`)." in section
    assert "### Rows the paper lacks" in section
    assert "Models and tasks of this grid" not in section


def test_a_dash_in_the_paper_has_no_verdict(page):
    text = page(make_grid(("opt-13b",)), models=("opt-13b",))
    assert rows(text[text.index("## Table 2") :], "SVD-LLM")[2] == ["", "verdict", "-"]


@pytest.mark.parametrize("other", ["none", "every"])
def test_the_page_says_by_model_whether_there_is_a_bos(page, other):
    """Tokenizers with and without one may stand side by side; what each model had is listed."""
    cells = make_grid(("opt-tiny", "llama-tiny"))
    assert "; bos: " not in page(cells, ("opt-tiny", "llama-tiny"))
    for cell in cells:
        cell["fingerprint"]["bos"] = other if cell["model"]["name"] == "llama-tiny" else "tokenizer"
    text = page(cells, ("opt-tiny", "llama-tiny"))
    listed = rows(text, "Protocol of")
    bos = listed[0].index("bos")
    assert {row[0]: row[bos] for row in listed[2:]} == {"opt-tiny": "tokenizer", "llama-tiny": other}
    assert f"; bos: {' | '.join(sorted((other, 'tokenizer')))}." in text


def test_a_grid_of_models_with_and_without_a_bos_before_every_window(page, tmp_path):
    """Each by its family's rule: planned apart, drawn in one table."""
    folder = make_assets(tmp_path / "assets")
    for name, family in (("a", "gemma3_text"), ("b", "llama")):
        (folder / "models" / name / "config.json").write_text(f'{{"model_type": "{family}"}}')
    grid = Grid({"grid": "local", "assets": str(folder)})
    paths = [Artefacts(grid).evaluate(cell).path for cell in grid.table_cells("table2")]
    assert len(set(paths)) == len(paths) and {grid.bos(model) for model in grid.models} == {"every", "first"}
    fingerprint = {"a": {"bos": "every"}, "b": {"bos": "none"}}
    cells = [cell for name in grid.models for cell in make_grid((name,), fingerprint=fingerprint[name])]
    text = page(cells, grid.models)
    assert rows(text[text.index("### Measured on this grid") :], "FLAP")[0] == ["FLAP", "34.45", "34.45"]
    cells[-1]["fingerprint"]["bos"] = "every"
    with pytest.raises(SparsitySolverError, match="cells of one column must share their protocol, and 'bos' differs"):
        page(cells, grid.models)


def test_models_the_paper_lacks_have_their_own_table_with_claims_of_order(page):
    models = ("opt-tiny", "llama-tiny")
    cells = replace_cell(make_grid(models), make_cell("llama-tiny", "flap", 30.0))
    text = page(cells, models)
    section = text[text.index("## Table 2") :]
    assert section.index("### Measured on this grid") < section.index("Published for what this grid does not measure")
    assert "published " not in section[: section.index("Claims of order")]  # what was measured comes first, and alone
    local = section[section.index("### Measured on this grid") :]
    assert rows(local, "SliceGPT")[0] == ["SliceGPT", "34.10", "34.10"]
    claim = rows(local, "SliceGPT better than FLAP")[0]
    on_twin = "SliceGPT (parameter-matched)"  # 35.00 where FLAP has 34.45
    assert claim[:2] == ["SliceGPT better than FLAP", "7 of 9"]
    assert claim[2:] == [f"order holds; on {on_twin}: order reversed", f"order reversed, on {on_twin} too"]
    assert "judged on grid local" in local
    assert "(52 values, in `config/paper/table2.csv`)" in text


def test_tables_without_results_read_not_run(page):
    text = page(make_grid())
    for number in (1, 3, 4, 5, 6, 7):
        section = text[text.index(f"## Table {number}") :].split("\n## ")[0]
        assert "Not run on this grid." in section
        assert "published" in section.lower()
    assert "57.70" in text  # Table 1's digits as printed
    assert text.count("Not run on this grid.") == 6


def test_provenance_names_commit_versions_protocol_and_leaks(page):
    leaky = {"calibrated_on_eval_domain": False, "searched_on_reported_split": True, "saw_task": False}
    ours = make_cell(method="sparsitysolver", value=31.44, leakage=leaky)
    text = page(replace_cell(make_grid(), ours))
    assert (
        "grid: local; task: wikitext2 (test split); seeds: 0; commit: abc1234; versions: numpy 2.3; torch 2.8" in text
    )
    assert "join: `'\\n\\n'`; precision: float32" in text
    assert "searched on reported split: sparsitysolver; saw task: none" in text
    assert rows(text[text.index("Protocol of") :], "opt-125m")[0][2:6] == ["2048", "140", "287645", "2"]


def test_what_is_not_known_is_said_of_leaks(page):
    imported = {"calibrated_on_eval_domain": True, "searched_on_reported_split": None, "saw_task": False}
    ours = make_cell(method="sparsitysolver", value=31.44, leakage=imported)
    text = page(replace_cell(make_grid(), ours))
    assert "searched on reported split: none (not known of sparsitysolver); saw task: none" in text


def test_skips_and_other_protocols_become_footnotes(page):
    cells = replace_cell(
        make_grid(fingerprint={"seqlen": 1024, "windows": 280}), make_cell(method="uniform_recon", value=None)
    )
    text = page(cells)
    assert "- (1) Uniform (Recon) × opt-125m: not supported" in text
    assert "- opt-125m: not the published protocol: seqlen 1024 instead of 2048." in text
    assert "0 reproduced" in text


def test_page_is_the_same_for_the_same_cells(page):
    models = ("opt-125m", "opt-tiny")
    assert page(make_grid(models), models) == page(make_grid(models)[::-1], models)


def test_run_times_do_not_change_the_page(page):
    assert page(make_grid()).split("Provenance")[0] in page(make_grid(run={"wall_seconds": 9.0}))


def test_table_of_another_grid_is_refused(page):
    with pytest.raises(SparsitySolverError, match=r"not of grid 'tiny': found opt-125m; the grid has opt-tiny"):
        page(make_grid(), grid="tiny")


def test_markdown_keeps_digits_and_escapes_pipes():
    assert markdown(pd.DataFrame({"Method": ["a|b"], "m": ["34.10"]})).splitlines()[2] == r"| a\|b     | 34.10 |"
    assert markdown(pd.DataFrame({"Method": ["a"], "m|n": ["34.10"]})).splitlines()[0] == r"| Method   |   m\|n |"


README = (
    "# T\n<!-- generated:dag -->\nold\n<!-- /generated -->\nkept\n<!-- generated:table2 -->\n<!-- /generated -->\nend\n"
)


def test_fill_replaces_one_section_and_nothing_else():
    once = fill(README, "table2", "new\n")
    assert once == README.replace("table2 -->\n", "table2 -->\nnew\n")
    assert fill(once, "table2", "new") == once


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing", r"stands 0 times.*sections found: none"),
        (README + README, r"stands 2 times.*dag, table2, dag, table2"),
        ("<!-- generated:table2 -->\n", "not closed"),
        ("<!-- generated:table2 -->\n<!-- generated:dag -->\n<!-- /generated -->", "not closed"),
    ],
)
def test_fill_refuses_what_it_cannot_place(text, message):
    with pytest.raises(SparsitySolverError, match=message):
        fill(text, "table2", "new")


def test_readme_gets_the_table_just_made(results, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(README)
    cells = replace_cell(make_grid(), make_cell(method="svd_llm", value=None))
    cells = replace_cell(cells, make_cell(method="uniform", value=None, reason="extended only"))
    folder = results(cells, ["opt-125m"])
    readme_command(readme, folder, "opt125m")
    text = readme.read_text()
    assert rows(text, "SliceGPT")[0][-1] == "34.10"
    assert "- (1) SVD-LLM × opt-125m: not supported" in text
    assert "extended only" not in text
    assert "grid: opt125m" in text
    assert "old\n" in text
    assert text.endswith("end\n")
    readme_command(readme, folder, "opt125m")
    assert readme.read_text() == text


def test_readme_command_says_what_is_missing(tmp_path):
    with pytest.raises(SparsitySolverError, match="no page at"):
        readme_command(tmp_path / "README.md", tmp_path, "tiny")
    (tmp_path / "README.md").write_text(README)
    with pytest.raises(SparsitySolverError, match=r"no table at .*table2\.csv"):
        readme_command(tmp_path / "README.md", tmp_path, "tiny")
    (tmp_path / "README.md").write_text("<!-- generated:dag -->\n<!-- /generated -->\n")
    with pytest.raises(SparsitySolverError, match="no generated section to fill: found dag; those of tables"):
        readme_command(tmp_path / "README.md", tmp_path, "tiny")
