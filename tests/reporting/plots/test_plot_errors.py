"""What figures say of results they cannot draw: one sentence that names the file and the place, status 2."""

import json
import subprocess
import sys

import plot_factory as factory
import pytest
from drawn_figures import FIGURES, script

from sparsitysolver import ROOT
from sparsitysolver.config.figures import load_figure
from sparsitysolver.reporting.plots.command import main


@pytest.fixture
def results(tmp_path):
    """Results of all figures, small."""
    return factory.small_results(tmp_path / "results")


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


def change(path, number, **cells):
    """Set cells of one row, counted from 0: it stands in line number + 2."""
    rows = factory.read(path)
    rows[number] |= cells
    factory.write(path, rows)


FILES = [(name, kind) for name in FIGURES for kind in load_figure(name).kinds]


@pytest.mark.parametrize(("name", "kind"), FILES)
def test_a_missing_file_is_named_with_what_makes_it(name, kind, results, error_of):
    path = results / f"{kind}_{name}.csv"
    path.unlink()
    assert f"at {path}; make it with 'snakemake results/{kind}_{name}.csv'." in error_of(name)


@pytest.mark.parametrize(("name", "kind"), FILES)
def test_no_rows_and_an_empty_file(name, kind, results, error_of):
    path = results / f"{kind}_{name}.csv"
    path.write_text(path.read_text().split("\n")[0] + "\n")
    assert f"{path}: no rows" in error_of(name)
    path.write_text("")
    assert f"{path}: column '" in error_of(name)


@pytest.mark.parametrize(
    ("name", "kind", "column"),
    [
        ("figure3", "cells", "value"),
        ("figure3", "inference", "prefill_speedup"),
        ("figure4", "strategies", "ratio"),
        ("figure5", "reconstruction", "seconds_per_module"),
        ("figure6", "curves", "ppl"),
        ("figure13", "curves", "kept"),
        ("figure13", "strategies", "size"),
        ("figure14", "inference", "decode_speedup_low"),
    ],
)
def test_a_missing_column_is_named(name, kind, column, results, error_of):
    path = results / f"{kind}_{name}.csv"
    factory.write(path, [{k: v for k, v in row.items() if k != column} for row in factory.read(path)])
    assert f"{path}: column '{column}' is missing" in error_of(name)


@pytest.mark.parametrize(
    ("name", "kind", "cells", "words"),
    [
        ("figure3", "cells", {"value": "nan"}, "value is 'nan'"),
        ("figure3", "cells", {"value": ""}, "needs value and parameters"),
        ("figure3", "inference", {"prefill_speedup": "inf"}, "prefill_speedup is 'inf'"),
        ("figure4", "strategies", {"ratio": "nan"}, "ratio is 'nan'"),
        ("figure5", "reconstruction", {"ppl": ""}, "ppl is empty"),
        ("figure5", "reconstruction", {"samples": "-1"}, "-1 samples"),
        ("figure6", "curves", {"ppl": "nan"}, "ppl is 'nan'"),
        ("figure6", "curves", {"ppl": "inf"}, "ppl is 'inf'"),
        ("figure7", "curves", {"ppl": ""}, "ppl is empty"),
        ("figure8", "curves", {"reward": "high"}, "reward is 'high'"),
        ("figure8", "curves", {"episode": "8"}, "episode 8 found where 7 is due"),
        ("figure11", "strategies", {"ratio": ""}, "ratio is empty"),
        ("figure13", "curves", {"kept": "[1, 2"}, "kept is no list of counts"),
        ("figure14", "inference", {"decode_seconds": "NaN"}, "decode_seconds is 'NaN'"),
        ("figure14", "inference", {"decode_speedup": "9"}, "decode_speedup 9 lies outside"),
    ],
)
def test_a_wrong_cell_is_named_with_its_line(name, kind, cells, words, results, error_of):
    path = results / f"{kind}_{name}.csv"
    number = {"figure13": 0, "figure14": 2}.get(name, 7)
    change(path, number, **cells)
    message = error_of(name)
    assert f"{path.name}, line {number + 2} (llama-tiny" in message
    assert words in message


@pytest.mark.parametrize(
    ("name", "kind", "changes", "words"),
    [
        ("figure3", "cells", {}, "lines 3 and 4 (llama-tiny × sparsitysolver × 0.1 × 0) have the same model, method"),
        ("figure3", "inference", {}, "lines 3 and 4 (llama-tiny × slicegpt × 0.1 × 0) have the same model, method"),
        (
            "figure4",
            "strategies",
            {},
            "lines 3 and 4 (llama-tiny × sparsitysolver_unstructured × 0.7 × 0) have the same",
        ),
        (
            "figure12",
            "strategies",
            {"key": "other"},
            "lines 2 and 4 (llama-tiny × sparsitysolver_unstructured × 0.7 × 0)",
        ),
        ("figure5", "reconstruction", {}, "every seed needs every number of samples once"),
        (
            "figure8",
            "curves",
            {"key": "other"},
            "lines 2 and 4 (llama-tiny × sparsitysolver × 0.2 × 0) have the same model",
        ),
        ("figure14", "inference", {}, "lines 3 and 4 (llama-tiny × slicegpt × 0.2 × 0) have the same model, method"),
    ],
)
def test_nothing_stands_twice(name, kind, changes, words, results, error_of):
    path = results / f"{kind}_{name}.csv"
    rows = factory.read(path)
    factory.write(path, [*rows[:2], rows[1] | changes, *rows[2:]])
    message = error_of(name)
    assert f"{path.name}" in message and words in message


def test_searches_of_one_model_must_fit_together(results, error_of):
    path = results / "curves_figure6.csv"
    rows = factory.read(path)
    change(path, 95, dense_ppl="9")
    assert "dense_ppl is 5 in line 2 (llama-tiny × ppo × 0.2 × 0) and 9 in line 97 (llama-tiny × amc" in error_of(
        "figure6"
    )
    longer = rows[89] | {"episode": "90"}
    other = [row | {"key": "other", "seed": "1"} for row in rows[:90]]
    factory.write(path, [*rows[:90], longer, *other])
    assert "have 90 and 91 episodes" in error_of("figure6")


def test_a_sparsity_that_is_not_there(results, error_of):
    path = results / "curves_figure7.csv"
    factory.write(path, [row | {"sparsity": "0.25"} for row in factory.read(path)])
    assert "curves_figure7.csv: no rows of sparsity 0.3; sparsity found: 0.25." in error_of("figure7")


def test_strategies_that_differ_in_their_units(results, error_of):
    path = results / "strategies_figure12.csv"
    rows = factory.read(path)
    extra = [row | {"key": "other", "seed": "1"} for row in rows if row["key"] == rows[0]["key"]]
    factory.write(path, [*rows, *extra[:-1]])
    assert "has no unit 27, which another of the same model and method has" in error_of("figure12")


def test_kept_counts_need_the_sizes_of_their_model(results, error_of):
    curves, strategies = results / "curves_figure13.csv", results / "strategies_figure13.csv"
    change(curves, 29, kept=json.dumps([8] * 7))
    place = "curves_figure13.csv, line 31 (llama-tiny × sparsitysolver × 0.2 × 0)"
    assert f"{place}: kept holds 7 counts, where the model has 8 units" in error_of("figure13")
    change(curves, 29, kept=json.dumps([8, 8, 9, 8, 8, 8, 8, 8]))
    assert f"{place}: kept is 9 for unit 2, which has 8 items." in error_of("figure13")
    factory.write(strategies, [row | {"model": "other"} for row in factory.read(strategies)])
    assert "no structured strategy of llama-tiny" in error_of("figure13")


def test_times_under_other_conditions_are_not_compared(results, error_of):
    change(results / "inference_figure14.csv", 1, device="cuda")
    message = error_of("figure14")
    assert "device is cpu in line 2 (llama-tiny × dense" in message and "cuda in line 3" in message


def test_a_pareto_curve_needs_its_dense_model(results, error_of):
    path = results / "cells_figure3.csv"
    factory.write(path, factory.read(path)[1:])
    assert "cells_figure3.csv: no dense cell of llama-tiny" in error_of("figure3")


def test_a_row_of_another_length(results, error_of):
    path = results / "reconstruction_figure5.csv"
    lines = path.read_text().split("\n")
    path.write_text("\n".join([*lines[:3], lines[3] + ",1", *lines[4:]]))
    assert f"{path}, line 4: 9 cells, where the header has 8." in error_of("figure5")


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
