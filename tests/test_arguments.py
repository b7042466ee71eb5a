"""Options that are misspelt or no numbers: one line in the project's form, status 2, before anything is imported."""

import argparse

import pytest

from sparsitysolver.arguments import number, seed, whole_number
from sparsitysolver.cli import main
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning.units import check_sparsity

PRUNE = ("prune", "m", "--method", "flap", "--out", "x")
SEARCH = ("search", "m", "--out", "x", "--sparsity", "0.2")
WRONG = {
    "percentage": ((*PRUNE, "--sparsity", "50%"), "--sparsity", "'50%' is no number; give 0.5."),
    "percentage with a blank": ((*PRUNE, "--sparsity", "12,5 %"), "--sparsity", "'12,5 %' is no number; give 0.125."),
    "decimal comma": ((*PRUNE, "--sparsity", "0,5"), "--sparsity", "'0,5' is no number; give 0.5."),
    "word": ((*PRUNE, "--sparsity_ratio", "half"), "--sparsity", "'half' is no number."),
    "ratio of a search": ((*SEARCH, "--a-min", "70%"), "--a-min", "'70%' is no number; give 0.7."),
    "sparsity of a study": (("study", "reconstruction", "m", "--out", "x", "--sparsity", "30%"), "--sparsity", "0.3."),
    "sparsity of a strategy": (("strategy", "solve", "t", "--out", "x", "--sparsity", "1/2"), "--sparsity", "'1/2'"),
    "episodes": ((*SEARCH, "--episodes", "1.5"), "--episodes", "'1.5' is no whole number."),
    "nsamples": ((*PRUNE, "--nsamples", "1e3"), "--nsamples", "'1e3' is no whole number."),
    "windows": (("evaluate", "m", "--windows", "x"), "--windows", "'x' is no whole number."),
    "rounds": (("bench", "inference", "m", "--rounds", "ten"), "--rounds", "'ten' is no whole number."),
    "seed": ((*PRUNE, "--seed", "x"), "--seed", "'x' is no whole number."),
    "negative seed": ((*PRUNE, "--seed", "-1"), "--seed", "'-1' is no seed; seeds are 0 to 2147483646."),
    "long seed": ((*SEARCH, "--seed", "2147483647"), "--seed", "'2147483647' is no seed"),
    "seed index": ((*PRUNE, "--seed-index", "-1"), "--seed-index", "'-1' is no seed"),
    "no value": ((*PRUNE, "--sparsity"), "--sparsity", "expected one argument."),
    "missing options": (("prune", "m"), "--method", "are required"),
    "no model": (("prune",), "MODEL", "are required"),
    "unknown option": ((*PRUNE, "--sparsty", "0.5"), "--sparsty 0.5", "unrecognized arguments"),
    "unknown command": (("evalute", "m"), "evalute", "invalid choice"),
    "no command": ((), "COMMAND", "are required"),
    "unknown subcommand": (("bench", "speed", "m"), "speed", "invalid choice"),
    "choice": ((*PRUNE, "--format", "slim"), "--format", "invalid choice: 'slim'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_misspelt_is_one_sentence(name, capsys):
    command, option, message = WRONG[name]
    assert main(list(command)) == 2
    error = capsys.readouterr().err
    assert error.startswith("sparsitysolver: error: ") and error.count("\n") == 1
    assert option in error and message in error
    assert " --help'." in error


def test_threads_of_the_environment_that_are_no_number(capsys, monkeypatch):
    monkeypatch.setenv("SPARSITYSOLVER_THREADS", "all")
    assert main(["evaluate", "m"]) == 2
    assert "--threads: 'all' is no whole number." in capsys.readouterr().err


@pytest.mark.parametrize(("text", "value"), [("0.5", 0.5), (".5", 0.5), ("5e-1", 0.5), (" 1 ", 1.0)])
def test_numbers_are_taken_as_they_are(text, value):
    assert number(text) == value


def test_whole_numbers_and_seeds():
    assert (whole_number("-3"), seed("0"), seed("2147483646")) == (-3, 0, 2147483646)
    for text in ("", "1.0", "0x10", "½", "%", "5%5"):
        with pytest.raises(argparse.ArgumentTypeError, match="is no whole number"):
            whole_number(text)
    with pytest.raises(argparse.ArgumentTypeError, match="'5%5' is no number$"):
        number("5%5")


@pytest.mark.parametrize(("given", "hint"), [(50, ": for 50% give 0.5."), (2.5, ": for 2.5% give 0.025.")])
def test_a_sparsity_in_percent_is_told_what_to_give(given, hint):
    with pytest.raises(SparsitySolverError) as error:
        check_sparsity(given)
    assert str(error.value).endswith(hint)


@pytest.mark.parametrize("given", [0, 1, 100, 5000, -0.2, -50, float("nan"), float("inf")])
def test_other_sparsities_get_no_hint(given):
    with pytest.raises(SparsitySolverError, match=r"above 0 and below 1\.$"):
        check_sparsity(given)
