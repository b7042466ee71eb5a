"""The regression check: verdicts with known numbers, exit status and lines, what is refused, and accepting values."""

from pathlib import Path

import pandas as pd
import pytest
from cell_factory import edit_rows, make_cell, make_task_cell

from sparsitysolver.cli import main
from sparsitysolver.config import paper
from sparsitysolver.config.paper import Tolerance
from sparsitysolver.config.paper import accepted_tolerances as stored_tolerances
from sparsitysolver.reporting.compare.verdicts import REGRESSION_WORDS
from sparsitysolver.reporting.regression.accepted import read_accepted, write_accepted
from sparsitysolver.reporting.tables.judged import published_values

OK, OUT, KNOWN, NEW, MISSING, NOT_COMPARABLE = REGRESSION_WORDS.values()
SEARCH = {"algorithm": "ppo", "evaluations": 3012, "tokens": 1000, "episodes": 3000, "reward_split": "validation"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Round tolerances, and paths relative to a folder of the test's own."""
    bounds = {("dense", "same"): "0.001", ("pruned", "same"): "0.01", ("searched", "same"): "0.01"}
    bounds |= {("dense", "other"): "0.01", ("pruned", "other"): "0.1", ("searched", "other"): "0.5"}
    table = {("ppl", *axes): Tolerance(absolute=0, relative=bound, reason="test") for axes, bound in bounds.items()}
    monkeypatch.setattr(paper, "accepted_tolerances", lambda: table)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def accept(collected):
    """Accept the values of some cells, for grid opt125m unless another is named."""

    def run(cells, grid="opt125m"):
        assert main(["report", "accept", "--cells", str(collected(cells)), "--grid", grid]) == 0
        return Path("results/accepted") / f"{grid}.csv"

    return run


@pytest.fixture
def check(collected, capsys):
    """Run the check on cells; gives exit status, the rows of regression.csv by method, and standard error."""

    def run(cells, accepted=None, *options):
        named = ["--accepted", str(accepted)] if accepted else []
        capsys.readouterr()
        status = main(["report", "regression", "--cells", str(collected(cells)), "--grid", "opt125m", *named, *options])
        rows = pd.read_csv("results/regression.csv", dtype=str, keep_default_na=False).set_index("method")
        return status, rows, capsys.readouterr().err

    return run


def edit(path: Path, method: str, **changes: str) -> Path:
    """Change fields of one line of an accepted file."""
    edit_rows(path, lambda rows: [row | changes if row["method"] == method else row for row in rows])
    return path


def refused(capsys, *arguments: str) -> str:
    assert main(["report", *arguments]) == 2
    return capsys.readouterr().err


# --- verdicts -------------------------------------------------------------------------------------------------------


def test_published_values_are_those_of_the_tables():
    values = published_values()
    assert values["opt-125m", "dense", 0.0, "wikitext2", "ppl"].printed == "27.64"
    assert values["opt-125m", "slicegpt", 0.2, "wikitext2", "ppl"].printed == "34.10"
    assert values["llama-7b", "wanda", 0.7, "wikitext2", "ppl"].printed == "93.07"
    assert values["llama-7b", "flap", 0.2, "boolq", "acc"].table == "table3"
    assert ("opt-13b", "svd_llm", 0.2, "wikitext2", "ppl") not in values  # printed as a dash


def test_without_accepted_values_every_cell_is_new(check):
    status, rows, errors = check([make_cell(), make_cell(method="flap", value=34.4)])
    assert (status, errors) == (0, "")
    assert list(rows["accepted_verdict"]) == [NEW, NEW]
    assert list(rows["published_verdict"]) == [OK, OK]
    assert rows.loc["flap", ["measured", "published", "published_tolerance"]].tolist() == ["34.4", "34.45", "0.689"]


def test_accepted_values_that_hold(check, accept):
    status, rows, errors = check(
        [make_cell(value=27.65), make_cell(method="flap", value=34.5)],
        accept([make_cell(value=27.66), make_cell(method="flap", value=34.4)]),
    )
    assert (status, errors) == (0, "")
    assert list(rows["accepted_verdict"]) == [OK, OK]
    assert rows.loc["dense", "accepted_detail"].startswith("dense, same machine, accepted at abc1234")
    assert "| opt-125m, flap, 0.2, 0 " in Path("results/regression.md").read_text()


def test_a_corrupted_accepted_value_is_status_1_and_one_line(check, accept):
    cells = [make_cell(), make_cell(method="flap", value=34.4)]
    status, rows, errors = check(cells, edit(accept(cells), "flap", value="24.4"))
    assert status == 1
    assert rows["accepted_verdict"].to_dict() == {"dense": OK, "flap": OUT}
    assert errors == (
        "out: opt-125m, flap, 0.2, seed 0, wikitext2 test, ppl: measured 34.4, accepted 24.4 ± 0.244 "
        "(pruned, same machine, accepted at abc1234)\n"
    )


@pytest.mark.parametrize(("measured", "verdict"), [(101.0, OK), (99.0, OK), (101.0001, OUT), (98.9999, OUT)])
def test_edge_of_the_tolerance(check, accept, measured, verdict):
    accepted = accept([make_cell("opt-tiny", "flap", 100.0)])
    status, rows, _ = check([make_cell("opt-tiny", "flap", measured)], accepted)
    assert rows.loc["flap", "accepted_verdict"] == verdict
    assert status == (verdict is OUT)


def test_another_machine_has_the_wider_tolerance(check, accept):
    accepted = accept([make_cell("opt-tiny", "flap", 100.0)])
    whole = accepted.read_text()
    machines = {"device": "NVIDIA H100", "processor": "another", "threads": "4", "versions": "torch 2.14"}
    for field, value in machines.items():
        accepted.write_text(whole)
        status, rows, _ = check([make_cell("opt-tiny", "flap", 109.0)], edit(accepted, "flap", **{field: value}))
        assert (status, rows.loc["flap", "accepted_verdict"]) == (0, OK)
        assert "other machine" in rows.loc["flap", "accepted_detail"]


def test_published_tolerance_and_deviations_that_were_accepted(check, accept):
    off = [make_cell(method="flap", value=36.0)]  # published 34.45, 2%: 0.689
    status, rows, errors = check(off)
    assert (status, rows.loc["flap", "published_verdict"]) == (1, OUT)
    assert "measured 36.0, published 34.45 ± 0.689 (table2)" in errors
    status, rows, errors = check(off, accept(off))
    assert (status, errors, rows.loc["flap", "published_verdict"]) == (0, "", KNOWN)
    status, rows, errors = check(off, accept([make_cell(method="flap", value=34.45)]))
    assert status == 1 and len(errors.splitlines()) == 2  # out of both


def test_missing_cells(check, accept):
    both = accept([make_cell(), make_cell(method="flap", value=34.4)])
    status, rows, errors = check([make_cell()], both)
    assert (status, rows.loc["flap", "accepted_verdict"], rows.loc["flap", "measured"]) == (1, MISSING, "")
    assert errors.startswith("missing: opt-125m, flap, 0.2, seed 0, wikitext2 test, ppl: not measured, accepted 34.4 (")
    status, rows, errors = check([make_cell(), make_cell(method="flap", value=None)], both)
    assert status == 1 and "skipped: not supported" in errors
    assert rows.loc["flap", "accepted_verdict"] == MISSING


def test_cells_of_other_models_and_seeds_are_not_missing(check, accept):
    seeds = [make_cell(method="flap", value=34.4, seed=s) for s in (0, 1)]
    accepted = accept([make_cell(), make_cell("opt-1.3b", value=14.61), *seeds])
    here = [make_cell(), make_cell(method="flap", value=34.4, seed=1)]
    assert check(here, accepted)[0] == 1
    status, rows, _ = check(here, accepted, "--models", "opt-125m", "--seeds", "1")
    assert (status, len(rows)) == (0, 2)


def test_not_comparable(check, accept):
    """A model or protocol that the paper does not have, a search of another budget, a skipped cell."""
    searched = {"method": "sparsitysolver", "value": 31.44}
    accepted = accept([make_cell(**searched, search=SEARCH | {"evaluations": 4000})])
    for cell in (
        make_cell("opt-tiny", "flap", 5.0),
        make_cell(method="flap", value=34.4, fingerprint={"seqlen": 1024}),
        make_cell(method="uniform", value=34.4),
    ):
        _, rows, _ = check([cell])
        assert rows.loc[cell["method"], "published_verdict"] == NOT_COMPARABLE
    status, rows, _ = check([make_cell(**searched, search=SEARCH)], accepted)
    assert rows.loc["sparsitysolver", ["published_verdict", "accepted_verdict"]].tolist() == [OK, NOT_COMPARABLE]
    status, rows, _ = check([make_cell(**searched, search=SEARCH | {"evaluations": 150})])
    assert (status, rows.loc["sparsitysolver", "published_verdict"]) == (0, NOT_COMPARABLE)
    assert "150 evaluations instead of 3000" in rows.loc["sparsitysolver", "published_detail"]
    status, rows, _ = check([make_cell(method="flap", value=None)])
    assert (status, rows.loc["flap", "accepted_verdict"]) == (0, NOT_COMPARABLE)


def test_another_protocol_or_other_weights_than_accepted_are_out(check, accept):
    cells = [make_cell("opt-tiny", "flap", 5.0)]
    for change in ({"tokens": "286208"}, {"weights_sha256": "other"}, {"bos": "none"}):
        status, rows, errors = check(cells, edit(accept(cells), "flap", **change))
        (field,) = change
        assert (status, rows.loc["flap", "accepted_verdict"]) == (1, OUT)
        assert f"another protocol: {field} " in errors and f"accepted {change[field]}" in errors


def test_accuracies_are_in_percent(check, accept, monkeypatch):
    table = {("acc", "pruned", "same"): Tolerance(absolute=5, relative=0, reason="test")}
    monkeypatch.setattr(paper, "accepted_tolerances", lambda: table)
    accepted = accept([make_task_cell("mini_boolq", "flap", [1, 1, 1, 0], sparsity=0.2)])
    assert read_accepted(accepted, "opt125m").popitem()[1]["value"] == 75.0
    status, rows, _ = check([make_task_cell("mini_boolq", "flap", [1, 1, 0, 0], sparsity=0.2)], accepted)
    assert (status, rows.loc["flap", "measured"], rows.loc["flap", "accepted_tolerance"]) == (1, "50.0", "5")


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["regression", "accept"])
def test_broken_cells(collected, capsys, command):
    """Numbers that are not finite, other weights or protocols in a column or table, two cells for one place."""
    path = collected([make_cell(), make_cell(method="flap", value=34.4), make_cell("opt-tiny", "flap", 34.4)])
    whole = path.read_text()

    def error(**fields):
        path.write_text(whole)
        edit_rows(path, lambda rows: [row | fields if row["method"] == "flap" else row for row in rows])
        return refused(capsys, command, "--cells", str(path), "--grid", "opt125m")

    for number in ("nan", "inf", "", "x"):
        assert f"results/cells.csv): value is '{number}'" in error(value=number)
    for field, column in (("weights_sha256", "column"), ("tokens", "column"), ("dtype", "column")):
        said = error(**{field: "16"})
        assert f"cells of one {column} must share their protocol, and '{field}' differs" in said
        assert "dense" in said and "flap" in said
    assert "stands twice" in error(cell="again", model="opt-125m", metric="ppl")
    assert not Path("results/accepted/opt125m.csv").exists() and not Path("results/regression.csv").exists()


def test_accepted_files_that_are_broken_of_another_grid_or_shape_or_none_at_all(collected, accept, capsys, monkeypatch):
    cells = str(collected([make_cell()]))
    command = ["regression", "--cells", cells, "--grid", "opt125m", "--accepted"]
    tiny = accept([make_cell()], "tiny")
    assert "holds values of grid 'tiny'; grid 'opt125m' was asked for" in refused(capsys, *command, str(tiny))
    assert "column 'grid' is missing" in refused(capsys, *command, cells)
    assert "accept some with 'sparsitysolver report accept'" in refused(capsys, *command, "nowhere.csv")
    assert "no collected cells at" in refused(capsys, "accept", "--cells", "nowhere.csv")
    accepted = accept([make_cell()])
    monkeypatch.setattr(paper, "accepted_tolerances", dict)
    error = refused(capsys, *command, str(accepted))
    assert "no tolerance for metric, kind, machine ppl, dense, same; add a row to" in error
    assert "config/regression/tolerances.csv" in error
    edit(accepted, "dense", value="nan")
    named = "line 4 (opt-125m × dense × 0 × 0 × wikitext2 × test × ppl): value"
    assert f"opt125m.csv, {named} is 'nan'; a finite number is needed" in refused(capsys, *command, str(accepted))
    edit(accepted, "dense", value="27.64")
    edit_rows(accepted, lambda rows: rows * 2)
    assert "opt-125m, dense, 0, seed 0, wikitext2 test, ppl stands twice" in refused(capsys, *command, str(accepted))


# --- accepting ------------------------------------------------------------------------------------------------------


def test_accepting_keeps_every_digit_and_where_it_came_from(accept, check, capsys):
    value = 34.45678901234567
    path = accept([make_cell(), make_cell(method="flap", value=value), make_cell(method="svd_llm", value=None)])
    assert "2 values accepted for grid opt125m (2 new, 0 changed, 0 dropped)" in capsys.readouterr().out
    (row,) = [row for row in read_accepted(path, "opt125m").values() if row["method"] == "flap"]
    assert row["value"] == value
    assert (row["commit"], row["device"], row["versions"]) == ("abc1234", "cpu", "numpy 2.3; torch 2.8")
    assert (row["sparsity"], row["seed"], row["seqlen"], row["tokens"]) == ("0.2", "0", "2048", "287645")
    first = path.read_bytes()
    write_accepted(list(read_accepted(path, "opt125m").values()), "opt125m", path)
    assert path.read_bytes() == first
    assert check([make_cell(), make_cell(method="flap", value=value)], path)[0] == 0
    dirty = make_cell(provenance=make_cell()["provenance"] | {"commit": "abc-dirty"})
    accept([dirty, make_cell(method="slicegpt", value=34.0)])
    said = capsys.readouterr().out
    assert "2 values accepted for grid opt125m (1 new, 0 changed, 1 dropped)" in said
    assert "warning: 1 of them come from no clean commit" in said


def test_stored_files_are_readable_and_every_metric_of_theirs_has_its_tolerances():
    kinds = {(metric, kind) for metric, kind, _ in stored_tolerances()}
    assert {("ppl", kind) for kind in ("dense", "pruned", "searched")} <= kinds
    for metric, kind in kinds:
        rows = {m: stored_tolerances()[metric, kind, m] for m in ("same", "other")}
        assert all(row.reason for row in rows.values())
        assert rows["same"].relative <= rows["other"].relative and rows["same"].absolute <= rows["other"].absolute
    for path in (Path(__file__).parents[3] / "results/accepted").glob("*.csv"):
        assert {key[-1] for key in read_accepted(path, path.stem)} <= {metric for metric, _ in kinds}
