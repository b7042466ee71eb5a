"""Bundles: what is packed, the same bytes each time, damage is noticed, and tables come back from one without torch."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from cell_factory import edit_rows, make_cell, make_grid, replace_cell
from drawn_figures import script
from plot_factory import reconstruction
from plot_factory import write as write_rows
from search_factory import FOUND, make_strategy_record, write_search

from sparsitysolver import CONFIG, CONFIG_VARIABLE, ROOT
from sparsitysolver.cli import main
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records import content_key, write_json, write_text
from sparsitysolver.reporting import export, redraw
from sparsitysolver.reporting.audit import audit_command
from sparsitysolver.reporting.bundle import MANIFEST, unpack_bundle
from sparsitysolver.reporting.collect import collect
from sparsitysolver.reporting.export import export_command
from sparsitysolver.reporting.paper_tables import paper_tables_command
from sparsitysolver.reporting.plots.command import main as plots_main
from sparsitysolver.reporting.redraw import redraw_command
from sparsitysolver.reporting.settings_table import settings_command
from sparsitysolver.reporting.table_files import table_command

MODEL = "opt-125m"
TABLE = [f"table2{ending}" for ending in (".csv", ".tex", ".md", ".pairs.csv", ".footnotes.json")]
TABLE += ["table2_extended.csv", "table2_extended.tex", "table7_extended.csv", "table7.strategies.json"]
TABLE += [f"table7{ending}" for ending in (".csv", ".tex", ".md")]
KEY = "0123456789abcdef"
SEARCHES = "strategies/m/sparsitysolver/0.2/0/any"
HEAVY = ("torch", "transformers", "snakemake", "stable_baselines3", "gymnasium", "lm_eval", "datasets", "safetensors")


def put_cells(results: Path, cells: list[dict], *tables: str) -> None:
    """Cells where the pipeline puts them, collected as ``cells.csv`` and behind each table."""
    paths = [results / "cells" / cell["model"]["name"] / cell["method"] / f"{content_key(cell)}.json" for cell in cells]
    for cell, path in zip(cells, paths, strict=True):
        write_json(path, cell)
    for name in ("cells", *(f"cells_{table}" for table in tables)):
        collect(paths, results / f"{name}.csv")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A results folder with Tables 2 and 7 and the audit, and much that no bundle holds; and its bundle."""
    folder = tmp_path_factory.mktemp("made") / "results"
    searched = make_cell(method="sparsitysolver", value=31.44, strategy=make_strategy_record(found=FOUND))
    cells = replace_cell(replace_cell(make_grid(), searched), make_cell(method="svd_llm", value=None))
    put_cells(folder, cells, "table2")
    table_command("table2", folder / "cells_table2.csv", [MODEL], folder, ["wikitext2"], "opt125m")
    strategy = write_search(folder, found=FOUND, run={"host": "here"})
    settings_command([strategy], folder)
    audit_command(CONFIG / "paper", folder / "audit.csv", [], False)
    paper_tables_command(folder, folder / "paper_tables.md", "opt125m")
    write_json(strategy.with_name("bb.json"), make_strategy_record(found=FOUND, seed=8))
    others = ("pruned/x/model.safetensors", "pruned/x/config.json", "statistics/x.safetensors", "report.html")
    others += ("calibration/x.npy", "calibration/x.npy.json", "trained/opt/config.json", "inference/x/other.json")
    others += tuple(str(strategy.with_name(name).relative_to(folder)) for name in ("bb.curve.csv", f"{KEY}.agent"))
    for name in others:
        write_text(folder / name, name)
    export_command(folder.with_name("bundle.zip"), folder)
    return folder.parent


@pytest.fixture
def results(made, tmp_path):
    """That folder, to be changed."""
    return shutil.copytree(made / "results", tmp_path / "results")


@pytest.fixture
def bundle(made, tmp_path):
    """That bundle, to be changed."""
    return shutil.copy(made / "bundle.zip", tmp_path / "bundle.zip")


@pytest.fixture(autouse=True)
def no_scripts(tmp_path, monkeypatch):
    """No figures, unless a test has its own or runs in a process of its own."""
    monkeypatch.setattr(redraw, "_SCRIPTS", tmp_path / "figures")


def test_round_trip_and_what_is_left_behind(bundle, results, tmp_path):
    manifest = unpack_bundle(bundle, tmp_path / "out")
    unpacked = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert unpacked == set(manifest["files"])
    originals = {"results": results, "config": CONFIG}
    for name in unpacked:
        top, _, rest = name.partition("/")
        assert (tmp_path / "out" / name).read_bytes() == (originals[top] / rest).read_bytes()
    cells = {f"results/{path.relative_to(results)}" for path in results.glob("cells/**/*.json")}
    collected = {f"results/{name}{end}" for name in ("cells", "cells_table2") for end in (".csv", ".samples.npz")}
    tables = {f"results/{name}" for name in TABLE if name.endswith((".csv", ".json"))}
    strategies = {f"results/{SEARCHES}/{KEY}{ending}" for ending in (".json", ".curve.csv")}
    expected = cells | collected | tables | strategies | {"results/audit.csv"}
    assert {name for name in unpacked if name.startswith("results")} == expected
    assert len(cells) == 10
    assert {"config/tables/table2.yaml", "config/methods.tsv", "config/paper/table2.csv"} <= unpacked


def test_records_named_in_any_collected_table_are_packed_and_all_measurements(results, tmp_path):
    write_text(results / "curves_figure3.csv", "key,episode\nbb,0\nbb,1\n")
    write_text(results / "inference_figure3.csv", "model\nx\n")
    export_command(tmp_path / "b.zip", results)
    names = unpack_bundle(tmp_path / "b.zip", tmp_path / "out")["files"]
    assert {f"results/{SEARCHES}/bb.json", f"results/{SEARCHES}/bb.curve.csv"} <= set(names)
    assert "results/inference/x/other.json" in names


def test_manifest_says_which_run_it_is_of(bundle, tmp_path):
    manifest = unpack_bundle(bundle, tmp_path / "out")
    assert (manifest["format"], manifest["grid"]) == (1, "opt125m")
    assert manifest["run"] == {"commits": ["abc1234"], "versions": ["numpy 2.3; torch 2.8"], "devices": ["cpu"]}


def test_same_files_give_the_same_bytes(bundle, results, tmp_path):
    for path in results.rglob("*"):
        os.utime(path, (1e9, 1e9))
        path.chmod(0o700)
    export_command(tmp_path / "again.zip", results)
    assert (tmp_path / "again.zip").read_bytes() == bundle.read_bytes()


# --- what is not exported -------------------------------------------------------------------------------------------


def refused(results, tmp_path):
    """The error of an export, after which there is no bundle and nothing half-written."""
    out = tmp_path / "out" / "b.zip"
    with pytest.raises(SparsitySolverError) as error:
        export_command(out, results)
    assert not out.parent.exists()
    return str(error.value)


def test_nothing_collected(tmp_path):
    (tmp_path / "results").mkdir()
    assert "holds no collected cells" in refused(tmp_path / "results", tmp_path)


def test_cell_whose_record_is_gone_is_named(results, tmp_path):
    (path,) = results.glob("cells/*/flap/*.json")
    path.unlink()
    assert f"opt-125m, flap, 0.2, seed 0, wikitext2 test (cell {path.stem})" in refused(results, tmp_path)


def test_number_that_its_cell_does_not_say_is_named(results, tmp_path):
    path = results / "cells_table2.csv"
    path.write_text(path.read_text().replace("34.45", "20.01"))
    error = refused(results, tmp_path)
    assert "cells_table2.csv: opt-125m, flap" in error
    assert "'value' is '20.01', and the cell says '34.45'" in error


def test_strategy_of_table_7_that_is_gone(results, tmp_path):
    (results / SEARCHES / f"{KEY}.json").unlink()
    assert f"was made of strategy {KEY}.json, which is gone" in refused(results, tmp_path)


def test_tables_of_several_grids(results, tmp_path):
    write_json(results / "table1.footnotes.json", {"grid": "tiny"})
    assert "several grids (table1: tiny, table2: opt125m)" in refused(results, tmp_path)


# --- damage ---------------------------------------------------------------------------------------------------------


def rewritten(bundle, change):
    """The bundle with its members (name to bytes) changed."""
    with zipfile.ZipFile(bundle) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(bundle, "w") as archive:
        for name, data in change(members):
            archive.writestr(name, data)
    return bundle


def edited(name, old, new):
    return lambda members: [(n, d.replace(old, new) if n == name else d) for n, d in members]


def renamed_everywhere(new):
    """A member under another name that the manifest lists as well."""
    old = "results/table2.csv"
    return lambda members: [(new if n == old else n, d.replace(old.encode(), new.encode())) for n, d in members]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (edited("results/table2.csv", b"34.45", b"20.01"), r"results/table2\.csv is not what the manifest says"),
        (edited("results/table2.csv", b"34.45", b"20.014"), r"results/table2\.csv is not what the manifest says"),
        (lambda members: [m for m in members if m[0] != "results/cells.csv"], r"results/cells\.csv is listed and.* 0 "),
        (lambda members: [*members, ("results/more.csv", b"")], r"more\.csv is not listed in its manifest"),
        (lambda members: [*members, ("/etc/more", b"")], "member '/etc/more' does not lie under"),
        (lambda members: [m for m in members if m[0] != MANIFEST], "is no bundle of SparsitySolver"),
        (edited(MANIFEST, b'"format": 1', b'"format": 2'), "not a valid bundle: format"),
        (edited(MANIFEST, b'"files"', b'"members"'), "not a valid bundle"),
        (edited(MANIFEST, b"{", b"["), r"manifest\.json is broken"),
        (lambda _: [("word/document.xml", b"<w/>")], "is no bundle of SparsitySolver"),
        *(
            (renamed_everywhere(name), "does not lie under results or config/; refused")
            for name in ("/results/t.csv", "results/../../t.csv", "../t.csv", "results//t.csv", "C:/results/t.csv")
        ),
        (renamed_everywhere("sparsitysolver/cli.py"), "does not lie under results or config/; refused"),
    ],
)
def test_changed_bundle_is_one_error(bundle, tmp_path, change, words):
    rewritten(bundle, change)
    with pytest.raises(SparsitySolverError, match=words):
        unpack_bundle(bundle, tmp_path / "a" / "out")
    assert not list(tmp_path.rglob("t.csv"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_member_that_stands_twice(bundle, tmp_path):
    rewritten(bundle, lambda members: [*members, ("results/table2.csv", b"")])
    with pytest.raises(SparsitySolverError, match=r"table2\.csv is listed and stands 2 times"):
        unpack_bundle(bundle, tmp_path / "out")


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.999])
def test_cut_off_bundle_is_one_error(bundle, tmp_path, kept):
    data = bundle.read_bytes()
    bundle.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(SparsitySolverError, match="is no zip file, or it was damaged"):
        unpack_bundle(bundle, tmp_path / "out")


def test_any_changed_byte_of_a_member_is_noticed(bundle, tmp_path):
    data = bytearray(bundle.read_bytes())
    with zipfile.ZipFile(bundle) as archive:
        info = archive.getinfo("results/cells.csv")
    place = info.header_offset + 30 + len(info.filename) + info.compress_size // 2
    data[place] ^= 0xFF
    bundle.write_bytes(data)
    with pytest.raises(SparsitySolverError, match="damaged or changed"):
        unpack_bundle(bundle, tmp_path / "out")


def test_no_bundle_there(tmp_path):
    with pytest.raises(SparsitySolverError, match=r"no bundle at .*none\.zip; make one with 'sparsitysolver export"):
        unpack_bundle(tmp_path / "none.zip", tmp_path / "out")


# --- drawing anew ---------------------------------------------------------------------------------------------------

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
    modules = [f"sparsitysolver.reporting.{path.stem}" for path in (ROOT / "sparsitysolver/reporting").glob("*.py")]
    modules += ["sparsitysolver.cli", "sparsitysolver.stages.report", "sparsitysolver.stages.export"]
    done = laptop("-c", f"import importlib; [importlib.import_module(name) for name in {modules}]")
    assert done.returncode == 0, done.stderr


def test_everything_comes_back_byte_for_byte_without_heavy_libraries(results, laptop, tmp_path):
    write_rows(results / "reconstruction_figure5.csv", reconstruction())
    draw_figure5(["--results", str(results), "--out", str(tmp_path / "figures" / "figure5")])
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


def test_folder_gives_the_same_and_notes_what_differs(results, tmp_path, capsys):
    original = (results / "table2.csv").read_bytes()
    (results / "table2.csv").write_bytes(original.replace(b"34.45", b"20.01"))
    redraw_command(results, tmp_path / "new")
    assert (tmp_path / "new" / "table2.csv").read_bytes() == original
    said = capsys.readouterr().out
    assert "table2.csv  (differs from the one there)" in said
    assert "table2.tex  (as before)" in said


def test_bundle_is_drawn_with_its_own_configuration(results, laptop, tmp_path):
    config = tmp_path / "config"
    for path in CONFIG.rglob("*.*"):
        write_text(config / path.relative_to(CONFIG), path.read_text())
    write_text(config / "tables/table2.yaml", (config / "tables/table2.yaml").read_text().replace("20%", "a fifth"))
    export = ("-m", "sparsitysolver.cli", "export", "b.zip", "--results", results)
    assert laptop(*export, **{CONFIG_VARIABLE: str(config)}).returncode == 0
    redraw_command(tmp_path / "b.zip", tmp_path / "new")
    assert "structured pruning at a fifth sparsity" in (tmp_path / "new" / "table2.md").read_text()


def test_grid_is_needed_for_the_page_alone(results, tmp_path, capsys):
    axes = json.loads((results / "table2.footnotes.json").read_text())
    del axes["grid"]
    write_json(results / "table2.footnotes.json", axes)
    redraw_command(results, tmp_path / "new")
    assert not (tmp_path / "new" / "paper_tables.md").exists()
    assert "left out: paper_tables.md: no table names its grid" in capsys.readouterr().out
    redraw_command(results, tmp_path / "new", "opt125m")
    assert (tmp_path / "new" / "paper_tables.md").read_bytes() == (results / "paper_tables.md").read_bytes()


def test_broken_results_are_one_error_with_the_folder_s_own_name_and_nothing_is_written(results, tmp_path, capsys):
    edit_rows(results / "cells_table2.csv", lambda rows: [row for row in rows if row["method"] != "flap"])
    assert main(["report", "redraw", str(results), "--out", str(tmp_path / "new")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "opt-125m × flap" in error
    assert not (tmp_path / "new").exists()


def draw_figure5(arguments):
    """Figure 5 by its own script, in this process."""
    assert plots_main("figure5", script("figure5").draw, arguments) == 0


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


@pytest.fixture
def scripts(results, tmp_path, monkeypatch):
    """Three figures drawn from curves, the last without a script; no tables, which would only take time here."""
    config = shutil.copytree(CONFIG, tmp_path / "config")
    for path in (*config.glob("figures/*"), *config.glob("tables/*"), *results.glob("table7.*"), results / "cells.csv"):
        path.unlink()
    for name in ("figure1", "figure2", "figure3"):
        write_text(config / "figures" / f"{name}.yaml", "needs: [{from: curves, methods: [sparsitysolver]}]")
        write_text(tmp_path / "figures" / f"{name}.py", FIGURE.format(name=name))
    (tmp_path / "figures" / "figure3.py").unlink()
    for module in (redraw, export):
        monkeypatch.setattr(module, "CONFIG", config)


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


def test_figure_of_broken_files_is_an_error(results, scripts, tmp_path):
    write_text(results / "curves_figure1.csv", "broken")
    with pytest.raises(SparsitySolverError, match=r"no curves in .*/results/curves_figure1\.csv"):
        redraw_command(results, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_bundle_of_other_code_that_cannot_be_drawn_names_its_commit(results, scripts, tmp_path, monkeypatch):
    write_text(results / "curves_figure1.csv", "broken")
    monkeypatch.setattr(export, "commit", lambda: "0abc")
    export_command(tmp_path / "b.zip", results)
    with pytest.raises(SparsitySolverError, match=r"no curves in .* The bundle was exported at commit 0abc, this is"):
        redraw_command(tmp_path / "b.zip", tmp_path / "new")


def test_script_that_crashes_is_no_user_error_of_its_own(results, scripts, tmp_path, capsys):
    write_text(results / "curves_figure1.csv", "key\naa\n")
    write_text(tmp_path / "figures" / "figure1.py", "1 / 0")
    with pytest.raises(SparsitySolverError, match=r"figure1\.py.*failed, as it says above"):
        redraw_command(results, tmp_path / "new")
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_nothing_to_draw_from(tmp_path, capsys):
    (tmp_path / "results").mkdir()
    assert main(["report", "redraw", str(tmp_path / "results")]) == 2
    assert "make figures RESULTS=BUNDLE.zip" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "b.zip"), "--results", str(tmp_path / "none")]) == 2
    assert "nothing to export" in capsys.readouterr().err
