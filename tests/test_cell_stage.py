"""``cell``: the same record as by ``prune`` and ``evaluate``, and nothing left beside it."""

import pytest
from commands import MODEL, failure

from sparsitysolver.cli import main
from sparsitysolver.records.files import read_record

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("place")]
ON_TEXT = ("--task", "text.txt")
ON_TASK = ("--task", "mini_boolq", "--items", "report", "--limit", "6")
AS_CELL = {"--task": "--on", "--items": "--part"}  # prune has options of these names


def pruned(method, sparsity):
    return (MODEL, "--seqlen", "16", "--method", method, "--sparsity", sparsity, "--calibration", "ids.npy")


def cell(method, sparsity, asked):
    on = [AS_CELL.get(word, word) for word in asked]
    return ["cell", *pruned(method, sparsity), "--allow-skip", *on, "--out", "one.json"]


def record(path):
    return {name: value for name, value in read_record(path, "cell").items() if name != "run"}


@pytest.mark.parametrize(
    ("method", "sparsity", "asked", "status"),
    [
        ("uniform", "0.2", ON_TEXT, "ok"),
        ("wanda", "0.5", ON_TASK, "ok"),
        ("slicegpt", "0.2", ON_TEXT, "ok"),
        ("svd_llm", "0.999", ON_TEXT, "skipped"),
    ],
)
def test_a_cell_is_that_of_prune_and_evaluate(method, sparsity, asked, status, place):
    (place / "one.json.pruned").mkdir()  # of a job that was killed
    (place / "one.json.pruned" / "config.json").touch()
    assert main(cell(method, sparsity, asked)) == 0
    assert {path.name for path in place.iterdir()} == {"ids.npy", "text.txt", "one.json"}
    assert main(["prune", *pruned(method, sparsity), "--allow-skip", "--out", "pruned"]) == 0
    assert main(["evaluate", "pruned", "--seqlen", "16", *asked, "--out", "two.json"]) == 0
    assert record("one.json") == record("two.json")
    assert (record("one.json")["status"], record("one.json")["method"]) == (status, method)


def test_a_mistake_leaves_nothing(place, capsys):
    error = failure(capsys, *cell("uniform", "0.2", ("--task", "mini_bolq")))
    assert "unknown task or text source 'mini_bolq'" in error
    assert {path.name for path in place.iterdir()} == {"ids.npy", "text.txt"}
