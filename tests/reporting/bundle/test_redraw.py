"""Drawing anew: tables, pages and figures from a results folder or a bundle, without torch."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from cell_factory import edit_rows
from drawn_figures import script
from plot_factory import reconstruction, write_whole
from run_factory import TABLE

from sparsitysolver import CONFIG, CONFIG_VARIABLE, ROOT
from sparsitysolver.cli import main
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import write_json, write_text
from sparsitysolver.reporting.bundle import export, redraw
from sparsitysolver.reporting.bundle.export import export_command
from sparsitysolver.reporting.bundle.redraw import redraw_command
from sparsitysolver.reporting.plots.command import main as plots_main

HEAVY = ("torch", "transformers", "snakemake", "stable_baselines3", "gymnasium", "lm_eval", "datasets", "safetensors")


@pytest.fixture(autouse=True)
def no_scripts(tmp_path, monkeypatch):
    """No figures, unless a test has its own or runs in a process of its own."""
    monkeypatch.setattr(redraw, "_SCRIPTS", tmp_path / "figures")


@pytest.fixture
def small(results, tmp_path):
    """A configuration without tables and figures, and results without what the page is made of, which take time."""
    config = shutil.copytree(CONFIG, tmp_path / "config")
    for path in (*config.glob("figures/*"), *config.glob("tables/*"), *results.glob("table7.*"), results / "cells.csv"):
        path.unlink()
    return config


@pytest.fixture
def scripts(small, tmp_path, monkeypatch):
    """Three figures drawn from curves, the last without a script."""
    for name in ("figure1", "figure2", "figure3"):
        write_text(small / "figures" / f"{name}.yaml", FIGURE_YAML)
        write_text(tmp_path / "figures" / f"{name}.py", FIGURE.format(name=name))
    (tmp_path / "figures" / "figure3.py").unlink()
    for module in (redraw, export):
        monkeypatch.setattr(module, "CONFIG", small)


BLOCKER = f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {HEAVY}:
            raise ImportError(name + " is not installed here")
sys.meta_path.insert(0, Blocker())
"""


@pytest.fixture
def laptop(tmp_path):
    """Run Python where none of the heavy libraries can be imported, in this process's children too."""
    write_text(tmp_path / "blocker" / "sitecustomize.py", BLOCKER)
    path = os.pathsep.join([str(tmp_path / "blocker"), str(ROOT)])

    def run(*arguments, **environment):
        command = [sys.executable, *map(str, arguments)]
        env = os.environ | {"PYTHONPATH": path} | environment
        return subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_whole_of_reporting_and_the_command_line_load_without_heavy_libraries(laptop):
    assert "torch is not installed here" in laptop("-c", "import torch").stderr
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "sparsitysolver/reporting").rglob("*.py")
    ]
    modules += ["sparsitysolver.cli"]
    done = laptop("-c", f"import importlib; [importlib.import_module(name) for name in {modules}]")
    assert done.returncode == 0, done.stderr


def test_everything_comes_back_byte_for_byte_without_heavy_libraries(results, laptop, tmp_path):
    write_whole(results / "reconstruction_figure5.csv", reconstruction())
    options = ["--results", str(results), "--out", str(tmp_path / "figures" / "figure5")]
    assert plots_main("figure5", script("figure5").draw, options) == 0
    bundle = tmp_path / "b.zip"
    export_command(bundle, results)
    done = laptop("-m", "sparsitysolver.cli", "report", "redraw", bundle, "--out", "new")
    assert done.returncode == 0, done.stderr
    made = {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()}
    expected = [results / name for name in (*TABLE, "audit.csv", "paper_tables.md")]
    expected += (tmp_path / "figures").iterdir()
    assert made == {path.name: path.read_bytes() for path in expected}
    assert len(made) == len(TABLE) + 2 + 3
    assert "grid opt125m; cells of commit abc1234" in done.stdout
    assert "table2.csv  (as before)" in done.stdout
    assert "left out: table1: no cells_table1.csv" in done.stdout
    assert "left out: figure6: no curves_figure6.csv" in done.stdout
    assert "left out: claims.csv: no curves.csv" in done.stdout


def test_folder_gives_the_same_notes_what_differs_and_needs_its_grid_for_the_page_alone(results, tmp_path, capsys):
    original = (results / "table2.csv").read_bytes()
    (results / "table2.csv").write_bytes(original.replace(b"34.45", b"20.01"))
    axes = json.loads((results / "table2.footnotes.json").read_text())
    del axes["grid"]
    write_json(results / "table2.footnotes.json", axes)
    redraw_command(results, tmp_path / "new")
    assert (tmp_path / "new" / "table2.csv").read_bytes() == original
    assert not (tmp_path / "new" / "paper_tables.md").exists()
    said = capsys.readouterr().out
    assert "table2.csv  (differs from the one there)" in said
    assert "table2.tex  (as before)" in said
    assert "left out: paper_tables.md: no table names its grid" in said
    redraw_command(results, tmp_path / "new", "opt125m")
    assert (tmp_path / "new" / "paper_tables.md").read_bytes() == (results / "paper_tables.md").read_bytes()


def test_bundle_is_drawn_with_its_own_configuration(results, small, laptop, tmp_path):
    table = CONFIG / "tables/table2.yaml"
    write_text(small / "tables/table2.yaml", table.read_text().replace("20%", "a fifth"))
    export = ("-m", "sparsitysolver.cli", "export", "b.zip", "--results", results)
    assert laptop(*export, **{CONFIG_VARIABLE: str(small)}).returncode == 0
    redraw_command(tmp_path / "b.zip", tmp_path / "new")
    assert "structured pruning at a fifth sparsity" in (tmp_path / "new" / "table2.md").read_text()


def test_broken_results_are_one_error_with_the_folder_s_own_name_and_nothing_is_written(results, tmp_path, capsys):
    edit_rows(results / "cells_table2.csv", lambda rows: [row for row in rows if row["method"] != "flap"])
    assert main(["report", "redraw", str(results), "--out", str(tmp_path / "new")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "opt-125m × flap" in error
    assert not (tmp_path / "new").exists()


FIGURE = """
import argparse, pathlib, sys
parser = argparse.ArgumentParser()
parser.add_argument("--results", type=pathlib.Path)
parser.add_argument("--out", type=pathlib.Path)
args = parser.parse_args()
needed = args.results / "curves_{name}.csv"
if not needed.is_file() or "broken" in needed.read_text():
    print(f"{name}.py: error: no curves in {{needed}}", file=sys.stderr)
    sys.exit(2)
for ending in (".png", ".pdf", ".txt"):
    args.out.with_suffix(ending).write_text("drawn of " + needed.read_text())
"""


FIGURE_YAML = "{title: t, caption: c, needs: [{from: curves, methods: [sparsitysolver], sparsity: 0.2}]}"


@pytest.mark.parametrize("packed", [True, False])
def test_figures_are_drawn_and_those_without_files_left_out(results, scripts, tmp_path, capsys, packed):
    write_text(results / "curves_figure1.csv", "key\naa\n")
    source = results
    if packed:
        source = tmp_path / "b.zip"
        export_command(source, results)
    redraw_command(source, tmp_path / "new")
    assert (tmp_path / "new" / "figure1.png").read_text() == "drawn of key\naa\n"
    assert {path.name for path in (tmp_path / "new").glob("figure*")} == {
        f"figure1.{end}" for end in ("png", "pdf", "txt")
    }
    said = capsys.readouterr().out
    assert "left out: figure2: no curves_figure2.csv\n" in said
    assert "left out: figure3: no figure3.py\n" in said


def test_figure_that_fails_is_an_error_that_names_other_code_and_the_others_are_drawn(
    results, scripts, tmp_path, monkeypatch, capsys
):
    write_text(results / "curves_figure1.csv", "broken")
    write_text(results / "curves_figure2.csv", "key\naa\n")
    words = r"^figure1 cannot be drawn: no curves in .*/results/curves_figure1\.csv$"
    with pytest.raises(SparsitySolverError, match=words):
        redraw_command(results, tmp_path / "new")
    assert {path.stem for path in (tmp_path / "new").glob("figure*")} == {"figure2"}
    write_text(tmp_path / "figures" / "figure2.py", "1 / 0")  # a crash is no user error of its own
    monkeypatch.setattr(export, "commit", lambda: "0abc")
    export_command(tmp_path / "b.zip", results)
    words = r"no curves in .* The bundle was exported at commit 0abc, this is .*figure2\.py.*failed, as it says above"
    with pytest.raises(SparsitySolverError, match=words):
        redraw_command(tmp_path / "b.zip", tmp_path / "new")
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_nothing_to_draw_from(tmp_path, capsys):
    (tmp_path / "results").mkdir()
    assert main(["report", "redraw", str(tmp_path / "results")]) == 2
    assert "make figures RESULTS=BUNDLE.zip" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "b.zip"), "--results", str(tmp_path / "none")]) == 2
    assert "nothing to export" in capsys.readouterr().err
