"""Options follow from their declarations: type, default, help, aliases, and which one counts."""

import argparse
import importlib
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from sparsitysolver.cli import build_parser
from sparsitysolver.commands import COMMANDS
from sparsitysolver.options import REQUIRED, add_commands, argument, command, option, options_of, setting
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
    "make": command(
        "make it",
        "nothing:make",
        options_of(Settings),
        what=argument("WHAT", "things", nargs="+", type=Path),
        out=option(REQUIRED, "file to write", "--save", type=Path),
        given=option([], "again and again"),
        late=option(lambda: "5", "made late", type=int),
    ),
    "group one": command(
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
