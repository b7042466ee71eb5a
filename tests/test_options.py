"""Options follow from their declarations, and what is misspelt is one line in the project's form, status 2."""

import argparse
import importlib
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from sparsitysolver.cli import build_parser, main
from sparsitysolver.commands import COMMANDS, seed
from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.options import (
    REQUIRED,
    Command,
    add_commands,
    argument,
    number,
    option,
    options_of,
    setting,
    whole_number,
)
from sparsitysolver.pruning.units import check_sparsity
from sparsitysolver.search.settings import SearchSettings


@dataclass
class Settings:
    """Of a test."""

    rate: float | None = setting(None, "a rate")
    rounds: int = setting(3, "rounds (default: %(default)s)")
    exact: bool = setting(False, "no rounding")
    name: str = setting("own", "whose", command_default=None)
    hidden: int = 7


SHARED = {"rate": option(0.5, "another rate"), "out": option(None, "file")}
TABLE = {
    "make": Command(
        "make it",
        "nothing:make",
        options_of(Settings),
        what=argument("WHAT", "things", nargs="+", type=Path),
        out=option(REQUIRED, "file to write", "--save", type=Path),
        given=option([], "again and again"),
        late=option(lambda: "5", "made late", type=int),
    ),
    "group one": Command(
        "the first", "nothing:one", {**SHARED, "rate": option(1.0, "its own rate")}, out=option("x", "y")
    ),
}


def parsed(*arguments):
    parser = argparse.ArgumentParser()
    add_commands(parser, {"group": "a group"}, TABLE)
    return parser.parse_args(arguments)


def test_types_defaults_and_aliases_are_those_declared():
    args = parsed("make", "a", "b", "--save", "o", "--rate", "0.25", "--exact", "--given", "1", "--given", "2")
    assert (args.what, args.out) == ([Path("a"), Path("b")], Path("o"))
    assert (args.rate, args.rounds, args.exact, args.name) == (0.25, 3, True, None)
    assert (args.given, args.late, args.path) == (["1", "2"], 5, "make") and not hasattr(args, "hidden")
    again = parsed("make", "a", "--out", "o")
    assert (again.rate, again.given) == (None, []) and args.chosen is TABLE["make"]


def test_a_later_option_takes_the_place_of_a_shared_one():
    args = parsed("group", "one")
    assert (args.rate, args.out, args.command, args.what, args.path) == (1.0, "x", "group", "one", "group one")


@pytest.mark.parametrize("arguments", [("make", "a"), ("make", "--out", "o"), ("group",)])
def test_what_is_required_is_asked_for(arguments, capsys):
    with pytest.raises(SystemExit):
        parsed(*arguments)
    assert "required" in capsys.readouterr().err


def test_a_search_has_the_defaults_of_its_settings():
    args = build_parser().parse_args(["search", "m", "--sparsity", "0.2", "--out", "x"])
    given = {one.name: getattr(args, one.name) for one in fields(SearchSettings) if hasattr(args, one.name)}
    assert {"episodes", "reward_windows", "criterion", "literal"} < given.keys()
    assert SearchSettings.from_options(vars(args)) == SearchSettings()


def test_every_command_runs_something_that_is_there():
    for declared in COMMANDS.values():
        module, _, name = declared.runs.partition(":")
        assert callable(getattr(importlib.import_module(f"sparsitysolver.{module}"), name or "run")), declared.runs


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


def test_numbers_and_seeds():
    assert [number(text) for text in ("0.5", ".5", "5e-1", " 1 ")] == [0.5, 0.5, 0.5, 1.0]
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


@pytest.mark.parametrize(
    ("asked", "allowed", "said"),
    [
        ("wandda", ["wanda", "wanda_sp", "x"], "; did you mean wanda or wanda_sp? Allowed: wanda, wanda_sp, x."),
        ("xyz", ["tiny"], ". Allowed: tiny."),
        ("x", [], ". Allowed: none."),
    ],
)
def test_a_failed_look_up_names_near_names_and_all_that_is_allowed(asked, allowed, said):
    assert str(unknown_name("method", asked, allowed)) == f"unknown method '{asked}'{said}"
