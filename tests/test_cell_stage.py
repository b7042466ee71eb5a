"""``cell``: the same record as by ``prune`` and ``evaluate``, and nothing left beside it."""

import numpy as np
import pytest
from commands import MODEL, failure
from tiny import tiny_ids, tiny_text

from sparsitysolver.cli import main
from sparsitysolver.records.files import read_record

pytestmark = pytest.mark.filterwarnings("ignore")
ON_TEXT = ("--task", "text.txt")
ON_TASK = ("--task", "mini_boolq", "--items", "report", "--limit", "6")
AS_CELL = {"--task": "--on", "--items": "--part"}  # prune has options of these names


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A working folder with calibration ids and a text."""
    np.save(tmp_path / "ids.npy", tiny_ids(8, 16))
    (tmp_path / "text.txt").write_text(tiny_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cell(method, sparsity, asked, out="one.json"):
    pruned = ("--method", method, "--sparsity", sparsity, "--calibration", "ids.npy", "--allow-skip")
    return ("cell", MODEL, "--seqlen", "16", *pruned, *(AS_CELL.get(word, word) for word in asked), "--out", out)


def both(method, sparsity, asked, out="two.json"):
    pruned = ("--method", method, "--sparsity", sparsity, "--calibration", "ids.npy", "--allow-skip")
    assert main(["prune", MODEL, "--seqlen", "16", *pruned, "--out", "pruned"]) == 0
    assert main(["evaluate", "pruned", "--seqlen", "16", *asked, "--out", out]) == 0


def record(path):
    return {name: value for name, value in read_record(path, "cell").items() if name != "run"}


@pytest.mark.parametrize(
    ("method", "sparsity", "asked"),
    [("uniform", "0.2", ON_TEXT), ("wanda", "0.5", ON_TASK), ("slicegpt", "0.2", ON_TEXT)],
)
def test_a_cell_is_that_of_prune_and_evaluate(method, sparsity, asked, place):
    (place / "one.json.pruned").mkdir()  # of a job that was killed
    (place / "one.json.pruned" / "config.json").touch()
    assert main([*cell(method, sparsity, asked)]) == 0
    assert {path.name for path in place.iterdir()} == {"ids.npy", "text.txt", "one.json"}
    both(method, sparsity, asked)
    assert record("one.json") == record("two.json")
    assert record("one.json")["status"] == "ok" and record("one.json")["method"] == method


def test_what_a_method_does_not_support_is_a_cell_with_its_reason(place):
    assert main([*cell("svd_llm", "0.999", ON_TEXT)]) == 0
    both("svd_llm", "0.999", ON_TEXT)
    assert record("one.json") == record("two.json") and record("one.json")["status"] == "skipped"


def test_a_mistake_leaves_nothing(place, capsys):
    assert "unknown task or text source 'mini_bolq'" in failure(
        capsys, *cell("uniform", "0.2", ("--task", "mini_bolq"))
    )
    assert {path.name for path in place.iterdir()} == {"ids.npy", "text.txt"}
