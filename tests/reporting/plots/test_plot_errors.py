"""What figures say of results they cannot draw: one sentence that names the file and the place, status 2."""

import json
import shutil
import subprocess
import sys

import plot_factory as factory
import pytest
from drawn_figures import FIGURES, script

from sparsitysolver import ROOT
from sparsitysolver.config.figures import load_figure
from sparsitysolver.reporting.plots.command import main


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return factory.small_results(tmp_path_factory.mktemp("small"))


@pytest.fixture
def results(small, tmp_path):
    """Results of all figures, small."""
    return shutil.copytree(small, tmp_path / "results")


@pytest.fixture
def error_of(results, tmp_path, capsys):
    """The one line that a script ends with, at status 2, having written nothing."""

    def run(name: str) -> str:
        assert main(name, script(name).draw, ["--results", str(results), "--out", str(tmp_path / "out" / name)]) == 2
        assert not (tmp_path / "out").exists()
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"{name}: error: ")
        return line

    return run


def cell(number, **cells):
    """Set cells of one row, counted from 0: it stands in line number + 2."""
    return lambda rows: [row | cells if place == number else row for place, row in enumerate(rows)]


def column(**cells):
    """Set cells of every row."""
    return lambda rows: [row | cells for row in rows]


def without(name):
    """Leave a column out."""
    return lambda rows: [{key: text for key, text in row.items() if key != name} for row in rows]


def twice(**cells):
    """The second row again, in line 4, with other cells."""
    return lambda rows: [*rows[:2], rows[1] | cells, *rows[2:]]


def longer_search(rows):
    """A search of one seed with an episode more than that of the other."""
    other = [row | {"key": "other", "seed": "1"} for row in rows[:90]]
    return [*rows[:90], rows[89] | {"episode": "90"}, *other]


def fewer_units(rows):
    """A search of another seed that lacks the last unit."""
    return rows + [row | {"key": "other", "seed": "1"} for row in rows if row["key"] == rows[0]["key"]][:-1]


SEARCH = "llama-tiny × sparsitysolver × 0.2 × 0"
DENSE_PPL = "dense_ppl is 5 in line 2 (llama-tiny × ppo × 0.2 × 0) and 9 in line 97 (llama-tiny × amc"
CASES = {
    "cells_figure3": [
        (without("value"), "column 'value' is missing"),
        (cell(7, value="nan"), "line 9 (llama-tiny", "value is 'nan'"),
        (cell(7, value=""), "line 9 (llama-tiny", "needs value and parameters"),
        (twice(), "lines 3 and 4 (llama-tiny × sparsitysolver × 0.1 × 0) have the same model, method"),
        (lambda rows: rows[1:], "cells_figure3.csv: no dense cell of llama-tiny"),
    ],
    "inference_figure3": [
        (without("prefill_speedup"), "column 'prefill_speedup' is missing"),
        (cell(7, prefill_speedup="inf"), "line 9 (llama-tiny", "prefill_speedup is 'inf'"),
        (twice(), "lines 3 and 4 (llama-tiny × slicegpt × 0.1 × 0) have the same model, method"),
    ],
    "strategies_figure4": [
        (without("ratio"), "column 'ratio' is missing"),
        (cell(7, ratio="nan"), "line 9 (llama-tiny", "ratio is 'nan'"),
        (twice(), "lines 3 and 4 (llama-tiny × sparsitysolver_unstructured × 0.7 × 0) have the same"),
    ],
    "reconstruction_figure5": [
        (without("seconds_per_module"), "column 'seconds_per_module' is missing"),
        (cell(7, ppl=""), "line 9 (llama-tiny", "ppl is empty"),
        (cell(7, samples="-1"), "line 9 (llama-tiny", "-1 samples"),
        (cell(7, modules="mlp"), "modules in reconstruction_figure5.csv, line 9", "'mlp'"),
        (twice(), "lines 3 and 4 (llama-tiny × 0.3 × 0) have the same model, sparsity, seed, samples"),
        (lambda rows: [*rows, rows[0] | {"seed": "1"}], "this seed has no samples 2, which another of the line has"),
    ],
    "curves_figure6": [
        (without("ppl"), "column 'ppl' is missing"),
        (cell(7, ppl="nan"), "line 9 (llama-tiny", "ppl is 'nan'"),
        (cell(7, ppl="inf"), "line 9 (llama-tiny", "ppl is 'inf'"),
        (cell(95, dense_ppl="9"), DENSE_PPL),
        (longer_search, "this seed has no episode 90, which another of the line has"),
    ],
    "curves_figure7": [
        (cell(7, ppl=""), "line 9 (llama-tiny", "ppl is empty"),
        (column(sparsity="0.25"), "curves_figure7.csv: no rows of sparsity 0.3; sparsity found: 0.25."),
    ],
    "curves_figure8": [
        (cell(7, reward="high"), "line 9 (llama-tiny", "reward is 'high'"),
        (cell(7, episode="8"), "line 9 (llama-tiny", "episode 8 found where 7 is due"),
        (twice(key="other", episode="0"), f"lines 2 and 4 ({SEARCH}) have the same model"),
    ],
    "strategies_figure11": [(cell(7, ratio=""), "line 9 (llama-tiny", "ratio is empty")],
    "strategies_figure12": [
        (twice(key="other"), "lines 3 and 4 (llama-tiny × sparsitysolver_unstructured × 0.7 × 0)"),
        (fewer_units, "this seed has no unit 27, which another of the line has"),
    ],
    "curves_figure13": [
        (without("kept"), "column 'kept' is missing"),
        (cell(0, kept="[1, 2"), "line 2 (llama-tiny", "kept is no list of counts"),
        (cell(29, kept=json.dumps([8] * 7)), f"line 31 ({SEARCH}): kept holds 7 counts, where the model has 8 units"),
        (
            cell(29, kept=json.dumps([8, 8, 9, *[8] * 5])),
            f"line 31 ({SEARCH}): kept is 9 for unit 2, which has 8 items.",
        ),
    ],
    "strategies_figure13": [
        (without("size"), "column 'size' is missing"),
        (twice(size="7"), f"line 4 ({SEARCH}): unit 1 differs from that of another strategy of the same model."),
        (column(model="other"), "no structured strategy of llama-tiny"),
    ],
    "inference_figure14": [
        (without("decode_speedup_low"), "column 'decode_speedup_low' is missing"),
        (cell(2, decode_seconds="NaN"), "line 4 (llama-tiny", "decode_seconds is 'NaN'"),
        (cell(2, decode_speedup="9"), "line 4 (llama-tiny", "decode_speedup 9 lies outside its interval"),
        (twice(), "lines 3 and 4 (llama-tiny × slicegpt × 0.2 × 0) have the same model, method"),
        (cell(1, device="cuda"), "device is cpu in line 2 (llama-tiny × dense", "cuda in line 3"),
    ],
    "anytime_arena": [
        (without("tokens"), "column 'tokens' is missing"),
        (cell(7, tokens="many"), "line 9 (llama-tiny × random × 0.2 × 0)", "tokens is 'many'"),
        (twice(), "lines 3 and 4 (llama-tiny × ppo × 0.2 × 0) have the same model, granularity"),
        (lambda rows: column(algorithm="other")(rows[:3]), "no search of the figure's families, which are agmc, amc"),
    ],
}


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        pytest.param(file, change, words, id=f"{file}: {words[-1]}")
        for file, cases in CASES.items()
        for change, *words in cases
    ],
)
def test_broken_rows_are_named(file, change, words, results, error_of):
    path = results / f"{file}.csv"
    factory.write(path, change(factory.read(path)))
    message = error_of(file.partition("_")[2])
    assert path.name in message
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize("file", [f"{kind}_{name}" for name in FIGURES for kind in load_figure(name).kinds])
def test_files_that_lack_rows_columns_or_all_are_named(file, results, error_of):
    path, name = results / f"{file}.csv", file.partition("_")[2]
    path.write_text(path.read_text().split("\n")[0] + "\n")
    assert f"{path}: no rows" in error_of(name)
    path.write_text("")
    assert f"{path}: column '" in error_of(name)
    path.unlink()
    assert f"at {path}; make it with 'snakemake results/{file}.csv'." in error_of(name)


def test_a_row_of_another_length(results, error_of):
    path = results / "reconstruction_figure5.csv"
    lines = path.read_text().split("\n")
    path.write_text("\n".join([*lines[:3], lines[3] + ",1", *lines[4:]]))
    columns = len(lines[0].split(","))
    assert f"{path}, line 4: {columns + 1} cells, where the header has {columns}." in error_of("figure5")


def test_scripts_end_with_status_2_and_never_load_torch(results, tmp_path):
    program = "import runpy, sys; sys.argv = sys.argv[1:]\ntry: runpy.run_path(sys.argv[0], run_name='__main__')\n"
    program += "finally: print('torch' in sys.modules, file=sys.stderr)"
    command = [sys.executable, "-c", program, str(ROOT / "figures/figure5.py"), "--results", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "False"
    imports = ";".join(f"runpy.run_path({str(ROOT / 'figures' / name)!r} + '.py')" for name in FIGURES)
    command = [sys.executable, "-c", f"import runpy, sys; {imports}; assert 'torch' not in sys.modules"]
    assert subprocess.run(command, check=False, cwd=ROOT).returncode == 0
