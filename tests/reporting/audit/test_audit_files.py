"""The audit's files: claims beside the tables, refusals that name the place, the command line, the page."""

import csv
import json
import shutil
import subprocess
import sys
from fractions import Fraction

import pytest

from sparsitysolver import CONFIG
from sparsitysolver.cli import main
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.audit.checks import FLAG, OK, Line
from sparsitysolver.reporting.audit.claims import evaluate
from sparsitysolver.reporting.audit.read_published import find_tables
from sparsitysolver.reporting.audit.table import audit, audit_command
from sparsitysolver.reporting.pages.sections import audit_section

PAPER = CONFIG / "paper"


# --- claims -----------------------------------------------------------------------------------------------------------

COST = """
- {{table: table9, method: A, columns: [opt-125m], quantity: hours, source: p. 1, formula: {formula}, {stated}
   inputs: {{n: {{row: Episode}}, s: {{row: Episode time (s)}}, g: {{value: 2, source: p. 2}}}}}}
"""
TIMES = [["Method", "opt-125m"], ["Dense", "27.00"], ["A", "30.00"], ["Episode", "90"], ["Episode time (s)", "60.0"]]


@pytest.mark.parametrize(
    ("formula", "stated", "verdict"),
    [  # 90 episodes of 60 s are 1.5 h
        ("n * s / 3600", "stated: 1.5,", OK),
        ("n * s / 3600", "stated: 1.6,", FLAG),
        ("n * s / 3600", "stated: 1.6, tolerance: 0.1,", OK),
        ("n * s / 3600", "stated: 1, relation: at most,", OK),  # 1.5 may print as 1 digit either way
        ("n * s / 3600 * g", "stated: 2, relation: at most,", FLAG),
        ("n * s / 3600 * g", "stated: 5, relation: at most,", OK),
        ("n * s / 3600 * g", "stated: 5, relation: at least,", FLAG),
        ("n * s / 3600 * g", "", OK),
    ],
)
def test_costs_by_hand(formula, stated, verdict, table_file):
    path = table_file(*TIMES)
    (path.parent / "costs.yaml").write_text(COST.format(formula=formula, stated=stated))
    for place in (path, path.parent):
        (line,) = [line for line in audit(place) if line.check == "cost"]
        assert line.verdict == verdict, line.detail
        assert line.checked == bool(stated)
        assert "hours: 90 * 60.0 / 3600" in line.detail


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("n * t", "unknown input in the formula 'n * t'"),
        ("n ** s", "may hold inputs, whole numbers"),
        ("abs(n)", "may hold inputs, whole numbers"),
        ("n / (s - s)", "has no value"),
        ("n *", "has no value"),
    ],
)
def test_formulas_that_have_no_value(formula, words):
    with pytest.raises(SparsitySolverError, match=r"place: .*|place\)") as error:
        evaluate(formula, {"n": Fraction(1), "s": Fraction(2)}, "place")
    assert words in str(error.value)


def test_labels_by_hand(table_file):
    path = table_file(["Method", "boolq"], ["Dense", "75.02"], ["A", "58.99"], name="table9.csv")
    (path.parent / "labels.csv").write_text(
        "table,method,model,measure,label,tolerance,stated,source\n"
        "table9,A,opt-125m,weights,50%,1,83M,p. 1\n"  # 125,239,296 - 84,934,656 / 2 = 82,771,968
        "table9,A,opt-125m,weights,50%,1,84M,p. 1\n"
        "table9,A,opt-125m,width,20%,11,,p. 1\n"  # 9.69% of the weights, within 11 points of 20%
    )
    lines = [line for line in audit(path) if line.check == "label"]
    assert [(line.value, line.verdict) for line in lines] == [
        *(("50%", OK), ("83M", OK), ("50%", OK), ("84M", FLAG), ("20%", OK))
    ]
    assert "82,771,968 parameters, 0.661" in lines[1].detail


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("costs.yaml", "row: Episode}", "row: Epsiode}", "unknown row of"),
        ("costs.yaml", "columns: [mistral-7b]", "columns: [mistral]", "did you mean mistral-7b"),
        ("costs.yaml", "table: table6", "table: table66", "unknown table (in"),
        ("costs.yaml", "formula:", "formulae:", "entry 1"),
        ("costs.yaml", 'stated: "2"', "stated: two", "a decimal number is needed; found 'two'"),
        ("costs.yaml", "relation: at most", "relation: below", "unknown relation"),
        ("costs.yaml", "- table", "table", "costs.yaml"),
        ("labels.csv", "width", "height", "unknown measure"),
        ("labels.csv", "llama-7b", "llama-8b", "unknown published model 'llama-8b'"),
        ("labels.csv", "table2,SliceGPT", "table2,SliceGTP", "did you mean SliceGPT"),
        ("labels.csv", "20%", "0.2", "a percentage below 100%"),
        ("labels.csv", "6.1B", "6.1", "a number with M or B"),
        ("labels.csv", ",stated,", ",claimed,", "column 'stated' is missing"),
    ],
)
def test_broken_claims_name_their_place(name, old, new, words, tmp_path, capsys):
    folder = tmp_path / "paper"
    shutil.copytree(PAPER, folder)
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))
    assert main(["audit", str(folder), "--out", str(tmp_path / "audit.csv")]) == 2
    error = capsys.readouterr().err
    assert name in error and words in error and error.count("\n") == 1


# --- files and the command line ---------------------------------------------------------------------------------------

GOOD = ["Method,boolq,piqa", "Dense,75.02,79.16", "A,58.99,69.86"]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["Name,boolq,piqa", *GOOD[1:]], ["line 1", "column 'Method' is missing"]),
        ([GOOD[0], GOOD[1], "A,x,69.86"], ["line 3", "row 'A'", "column 'boolq'", "'x' is no number"]),
        ([GOOD[0], GOOD[1], "A,58.99,NaN"], ["line 3", "row 'A'", "column 'piqa'", "'NaN' is no number"]),
        ([GOOD[0], GOOD[1], "A,,69.86"], ["line 3", "row 'A'", "column 'boolq'", "'' is no number"]),
        ([GOOD[0], GOOD[1], "A,inf,69.86"], ["row 'A'", "column 'boolq'"]),
        ([*GOOD, "A,1.00,2.00"], ["line 4", "row 'A'", "column 'Method'", "stands in line 3 too"]),
        ([*GOOD, ",1.00,2.00"], ["line 4", "column 'Method'", "has no name"]),
        ([GOOD[0]], ["no rows"]),
        ([], ["column 'Method' is missing", "an empty file"]),
        ([*GOOD, "B,1.00"], ["line 4", "row 'B'", "column 'piqa' is missing"]),
        ([*GOOD, "B,1.00,2.00,3.00"], ["line 4", "row 'B'", "4 fields"]),
        (["Method,boolq,boolq", "A,1.00,2.00"], ["column 'boolq' stands twice"]),
        (["Method,Params", "A,yes"], ["no number column", "Params"]),
        ([*GOOD, 'B,"1.00,2.00'], ["is no CSV file"]),
    ],
)
def test_broken_tables_are_one_clear_error(lines, words, tmp_path, capsys):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "table1.csv").write_text("\n".join(GOOD))
    (tmp_path / "tables" / "table2.csv").write_text("\n".join(lines))
    assert main(["audit", str(tmp_path / "tables"), "--out", str(tmp_path / "audit.csv")]) == 2
    error = capsys.readouterr().err
    for word in ["table2.csv", *words]:
        assert word in error
    assert error.count("\n") == 1
    assert not (tmp_path / "audit.csv").exists()


def test_a_table_that_is_no_text(tmp_path):
    (tmp_path / "table1.csv").write_bytes(b"Method,boolq\n\xff\xfe,1\n")
    with pytest.raises(SparsitySolverError, match="table1.csv is no CSV file in UTF-8"):
        audit(tmp_path)


def test_tables_of_a_folder(tmp_path):
    for name in ("table10.csv", "table9.csv", "owl.csv", "table9_extended.csv", "table9.pairs.csv"):
        (tmp_path / name).write_text("\n".join(GOOD))
    (tmp_path / "cells.csv").write_text("model,method\n")
    assert [path.name for path in find_tables(tmp_path)] == ["owl.csv", "table9.csv", "table10.csv"]
    with pytest.raises(SparsitySolverError, match="does not exist"):
        find_tables(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SparsitySolverError, match="no tables in .*found no CSV file"):
        find_tables(tmp_path / "empty")


def test_the_command_reports_flags_with_status_0(tmp_path, capsys):
    out = tmp_path / "audit.csv"
    assert main(["audit", "--out", str(out), "--json"]) == 0
    *text, last = capsys.readouterr().out.splitlines()
    result = json.loads(last)
    assert result["counts"]["reachable"] == {OK: 63, FLAG: 7}
    assert result["counts"]["better_than_dense"] == {OK: 171, FLAG: 1}
    assert result["flagged"] == sum(count[FLAG] for count in result["counts"].values()) == len(text) - 1
    with out.open(newline="") as handle:
        rows = list(csv.reader(handle))
    assert tuple(rows[0]) == Line._fields == ("table", "method", "column", "value", "check", "verdict", "detail")
    assert len(rows) - 1 == sum(sum(count.values()) for count in result["counts"].values())
    first = out.read_bytes()
    assert main(["audit", str(PAPER), "--out", str(out)]) == 0
    assert out.read_bytes() == first


def test_one_file_with_other_item_counts(table_file, tmp_path, capsys):
    path = table_file(["Method", "boolq"], ["A", "33.33"])
    assert main(["audit", str(path), "--items", "boolq=3", "--out", str(tmp_path / "audit.csv")]) == 0
    assert "0 of 2 checks flagged" in capsys.readouterr().out
    for wrong, words in (("boolq", "TASK=N"), ("boolq=0", "at least 1"), ("bolq=3", "did you mean boolq")):
        assert main(["audit", str(path), "--items", wrong]) == 2
        assert words in capsys.readouterr().err


def test_nothing_of_the_audit_imports_torch(tmp_path):
    code = "import sys; from sparsitysolver.cli import main; main(sys.argv[1:]); print('torch' in sys.modules)"
    command = [sys.executable, "-c", code, "audit", "--out", str(tmp_path / "audit.csv")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.endswith("False\n")


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_section_counts_and_lists_every_flag(paper, tmp_path):
    audit_command(PAPER, tmp_path / "audit.csv")
    text = audit_section(tmp_path / "audit.csv")
    assert text.startswith("## Audit of the printed numbers\n")
    assert "`reachable`, zero-shot accuracies against the number of items: 70 looked at, 7 flagged.\n" in text
    assert "172 looked at, 1 flagged" in text and "11 looked at, 1 flagged, 9 of the others without" in text
    bullets = [line for line in text.splitlines() if line.startswith("- ")]
    assert sorted(bullets) == sorted(
        f"- {line.table}, {line.method} × {line.column}: {line.value}; {line.detail}."
        for line in paper
        if line.verdict == FLAG
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no table at"),
        ("", "column 'table' is missing; found an empty file"),
        ("table,b\n", "column 'method' is missing"),
        (",".join(Line._fields) + "\ntable1,A\n", "2 fields, the header has 7"),
    ],
)
def test_a_section_needs_an_audit(content, words, tmp_path):
    if content is not None:
        (tmp_path / "audit.csv").write_text(content)
    with pytest.raises(SparsitySolverError, match=words):
        audit_section(tmp_path / "audit.csv")
