"""Commands on a tiny model, and what they say when they work or fail."""

from tiny import tiny_folder

from sparsitysolver.cli import main

MODEL = str(tiny_folder("llama"))
PRUNE = ("prune", MODEL, "--out", "out", "--calibration", "ids.npy", "--sparsity", "0.2")
SEARCH = ("search", MODEL, "--out", "out", "--calibration", "ids.npy", "--sparsity", "0.2", "--seqlen", "16")
EVALUATE = ("evaluate", MODEL, "--task", "wikitext2", "--seqlen", "16")
ZERO_SHOT = ("evaluate", MODEL, "--task", "mini_boolq")


def failure(capsys, *command):
    """What a command that must fail says: one line, status 2, no traceback."""
    capsys.readouterr()
    assert main([str(part) for part in command]) == 2
    error = capsys.readouterr().err
    assert error.startswith("sparsitysolver: error: ") and error.count("\n") == 1
    return error


def output(capsys, *command):
    """The last line that a command prints which must work."""
    assert main([str(part) for part in command]) == 0
    return capsys.readouterr().out.splitlines()[-1]
