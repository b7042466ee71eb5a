"""Preflight: the dense perplexity measured or taken from a cell, what it says where that is off, what it writes."""

import json
from pathlib import Path

import pytest
from tiny import tiny_assets

from sparsitysolver.cli import main
from sparsitysolver.config import published
from sparsitysolver.config.published import Anchor, KnownText
from sparsitysolver.stages import preflight

ROW = {"model": "opt-125m", "dataset": "wikitext2", "split": "test", "seqlen": "64", "tolerance": "0.01", "source": "S"}


@pytest.fixture(scope="module")
def assets(tmp_path_factory) -> Path:
    """An assets folder in which a tiny random OPT stands for OPT-125M."""
    return tiny_assets(tmp_path_factory.mktemp("assets"), "opt-125m")


@pytest.fixture(scope="module")
def cell(assets) -> Path:
    """The cell of its dense perplexity in windows of 64 tokens."""
    path = assets / "dense.json"
    evaluate = ["evaluate", "opt-125m", "--assets", str(assets), "--device", "cpu", "--seqlen", "64"]
    assert main([*evaluate, "--out", str(path)]) == 0
    return path


@pytest.fixture
def known(monkeypatch):
    """Sets the published values of OPT-125M, perplexity and diagnosis of each, and the hash of their text."""

    def put(*values, text: str = "", **more):
        named = {"task": "wikitext2", "split": "test", "text": "WikiText-2 raw test", "source": "S"}
        scored = KnownText(**named, sha256=text, published=True, opt=287645)
        monkeypatch.setattr(published, "known_texts", lambda: (scored,) if text else ())
        rows = [Anchor(**ROW, **more, ppl=ppl, diagnosis=diagnosis) for ppl, diagnosis in values]
        monkeypatch.setattr(published, "published", lambda: rows)

    return put


def run(assets, *options) -> int:
    return main(["preflight", "opt-125m", "--assets", str(assets), "--device", "cpu", *map(str, options)])


def value(cell: Path) -> float:
    return json.loads(cell.read_text())["metrics"]["ppl"]["value"]


def test_the_published_perplexity_is_ok_and_written(assets, cell, known, tmp_path, capsys):
    known((value(cell) + 0.009, ""))
    out = tmp_path / "preflight.json"
    assert run(assets, "--out", out) == 0
    assert capsys.readouterr().out == f"opt-125m: {value(cell):.4f} on wikitext2: ok\n"
    record = json.loads(out.read_text())
    assert (record["verdict"], record["ppl"], record["seqlen"], record["source"]) == ("ok", value(cell), 64, "S")


def test_a_cell_is_taken_in_place_of_measuring(assets, cell, known, monkeypatch, capsys):
    known((value(cell), ""))
    monkeypatch.setattr(preflight, "open_model", lambda _: pytest.fail("the model was loaded"))
    assert run(assets, "--cell", cell, "--json") == 0
    assert json.loads(capsys.readouterr().out)["ppl"] == value(cell)


@pytest.mark.parametrize("options", [[], ["--cell"]])
def test_a_deviation_is_an_error_and_nothing_is_written(assets, cell, known, tmp_path, capsys, options):
    known((value(cell) + 0.011, ""))
    out = tmp_path / "preflight.json"
    assert run(assets, *options, *([cell] if options else []), "--out", out) == 2
    error = capsys.readouterr().err
    assert f"dense perplexity {value(cell):.4f} on wikitext2 (test, windows of 64)" in error
    assert "random or broken weights" in error
    assert not out.exists()


def test_a_value_of_another_protocol_is_recognised(assets, cell, known, capsys):
    known((5.0, ""), (value(cell), "Windows of 4096 tokens were used."))
    assert run(assets, "--cell", cell) == 2
    assert "is what S reports: Windows of 4096 tokens were used." in capsys.readouterr().err


def test_a_value_that_is_no_number_is_off(assets, cell, known, capsys, monkeypatch):
    known((5.0, ""))
    monkeypatch.setattr(preflight, "perplexity", lambda _: float("nan"))
    assert run(assets) == 2
    assert "random or broken weights" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--cell"]])
def test_another_text_than_the_published_one_is_told(assets, cell, known, tmp_path, capsys, options):
    fingerprint = json.loads(cell.read_text())["fingerprint"]
    words = f"not WikiText-2 raw test ({fingerprint['tokens']} tokens instead of 287645)"
    options = [*options, *([cell] if options else [])]
    known((value(cell) + 0.011, "Windows of another length were used."), (5.0, ""), text="0" * 64)
    assert run(assets, *options) == 2
    assert f"The text is {words}; the published value is of that text." in capsys.readouterr().err
    known((value(cell), ""), text="0" * 64)
    out = tmp_path / "preflight.json"
    assert run(assets, *options, "--out", out) == 0
    assert json.loads(out.read_text())["verdict"] == f"not comparable: {words}"
    assert words in capsys.readouterr().out
    known((value(cell), ""), text=fingerprint["text_sha256"])
    assert run(assets, *options) == 0
    assert capsys.readouterr().out.endswith(": ok\n")


def test_models_nobody_published_have_no_verdict(assets, known, tmp_path, capsys):
    known()
    assert run(assets, "--seqlen", 64, "--out", tmp_path / "p.json") == 0
    assert "no published value" in capsys.readouterr().out
    assert json.loads((tmp_path / "p.json").read_text())["published"] is None


NEEDED = "preflight of opt-125m needs one of opt-125m, dense, wikitext2, test."
FOREIGN = {"name": "opt-1.3b", "family": "opt", "weights_sha256": "w"}


@pytest.mark.parametrize(
    ("where", "field", "found", "words"),
    [
        ("cell", "method", "flap", f"is a cell of opt-125m, flap, wikitext2, test; {NEEDED}"),
        ("cell", "split", "validation", f"is a cell of opt-125m, dense, wikitext2, validation; {NEEDED}"),
        ("cell", "model", FOREIGN, f"is a cell of opt-1.3b, dense, wikitext2, test; {NEEDED}"),
        ("fingerprint", "seqlen", 32, "was measured with windows of 32 tokens; S has 64"),
    ],
)
def test_cells_of_something_else_are_refused(assets, cell, known, tmp_path, capsys, where, field, found, words):
    known((value(cell), ""))
    record = json.loads(cell.read_text())
    (record if where == "cell" else record[where])[field] = found
    other = tmp_path / "other.json"
    other.write_text(json.dumps(record))
    assert run(assets, "--cell", other) == 2
    assert words in capsys.readouterr().err


def test_a_bos_before_every_window_is_another_protocol(assets, cell, known, tmp_path, capsys):
    """Whatever the value: published ones have one at most, unless the registry says otherwise."""
    known((5.0, ""))
    out, words = tmp_path / "p.json", "a BOS before every window instead of at most once, at the head of the text"
    assert run(assets, "--bos", "every", "--seqlen", 63, "--out", out) == 0
    record = json.loads(out.read_text())
    assert record["verdict"] == f"not comparable: {words}"
    known((record["ppl"], ""), bos="every")
    assert run(assets, "--bos", "every", "--seqlen", 63) == 0
    assert capsys.readouterr().out.endswith(": ok\n")


def test_another_bos_rule_is_tried(assets, cell, known, capsys, monkeypatch):
    monkeypatch.setattr(preflight, "_RANDOM_SHARE", 99)  # the tiny model's perplexity is that of a random one
    path = assets / "none.json"
    command = ["evaluate", "opt-125m", "--assets", str(assets), "--device", "cpu", "--seqlen", "64", "--bos", "none"]
    assert main([*command, "--out", str(path)]) == 0
    known((value(path), ""))
    assert run(assets, "--cell", cell) == 2
    assert "With a text without BOS this model gives the published value" in capsys.readouterr().err
