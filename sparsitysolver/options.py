"""The command line's parser, and its options and commands: declared once, beside settings or in a table (no torch)."""

import argparse
import importlib
from collections.abc import Mapping
from dataclasses import field, fields
from types import MappingProxyType, UnionType
from typing import Any, NamedTuple, NoReturn, get_args, get_type_hints

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.provenance import without_secrets

REQUIRED = ...  # in the place of a default
_SETTING = "option"


class Parser(argparse.ArgumentParser):
    """Raises in place of printing its usage; ``type=int`` and ``type=float`` say what numbers look like."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.register("type", int, whole_number)
        self.register("type", float, number)

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found wrong, in one line, without the secrets of an address where none is taken."""
        found = without_secrets(message).removeprefix("argument ").replace("\n", " ").rstrip(".")
        raise SparsitySolverError(f"{found}. See '{self.prog} --help'.")


def whole_number(text: str) -> int:
    """An option's text as an integer."""
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number") from error


def number(text: str) -> float:
    """An option's text as a number; for a percentage or a decimal comma the error says what to write."""
    try:
        return float(text)
    except ValueError as error:
        value, percent, rest = text.strip().replace(",", ".").partition("%")
        try:
            hint = "" if rest else f"; give {float(value) / (100 if percent else 1):g}"
        except ValueError:
            hint = ""
        raise argparse.ArgumentTypeError(f"'{text}' is no number{hint}") from error


class Option(NamedTuple):
    """An option or a positional argument without its name: aliases, and what argparse takes."""

    how: dict[str, Any]
    aliases: tuple[str, ...] = ()
    positional: bool = False


Options = Mapping[str, Option]


def option(default: Any, help: str, *aliases: str, **how: Any) -> Option:
    """An option of the type of its default; ``%(default)s`` in its help stands for that.

    A default of REQUIRED must be given, False makes a switch, a list collects what is given again and again, and a
    function is called when the parser is built. ``aliases`` are further names, such as ``--save``; ``how`` is what
    else argparse's ``add_argument`` takes, ``type`` where the default does not tell it.
    """
    if default is False:
        return Option({"action": "store_true", "help": help}, aliases)
    known = {"required": True} if default is REQUIRED else {"default": default}
    if isinstance(default, list):
        known |= {} if "nargs" in how else {"action": "append"}
    elif not (default is REQUIRED or default is None or callable(default)):
        known["type"] = type(default)
    return Option({"help": help, **known, **how}, aliases)


def argument(metavar: str | None, help: str | None, **how: Any) -> Option:
    """A positional argument."""
    return Option({"metavar": metavar, "help": help, **how}, positional=True)


def setting(default: Any, help: str, **how: Any) -> Any:
    """A field of a dataclass of settings that is an option too, of the same default or of ``command_default``."""
    return field(default=default, metadata={_SETTING: {"help": help, **how}})


def options_of(settings: type) -> Options:
    """Options of the same names, types and defaults as the fields that :func:`setting` made."""
    types, found = get_type_hints(settings), {}
    for one in fields(settings):
        if _SETTING in one.metadata:
            kind = types[one.name]
            if isinstance(kind, UnionType):  # what may be None
                kind = next(part for part in get_args(kind) if part is not type(None))
            how = ({} if kind is bool else {"type": kind}) | one.metadata[_SETTING]
            found[one.name] = option(how.pop("command_default", one.default), **how)
    return found


class Command:
    """A command: what it does in words, what runs it, its options: shared ones, and own ones beside or in their place.

    ``runs`` is a module with a function ``run`` of all parsed options, or ``module:function``, a function that takes
    them one by one in their order. It is imported when it runs: libraries take seconds.
    """

    def __init__(self, text: str, runs: str, shared: Options = MappingProxyType({}), **own: Option) -> None:
        self.text, self.runs, self.options = text, runs, {**shared, **own}

    def run(self, args: argparse.Namespace) -> int:
        """Run it; returns the exit status."""
        module, _, name = self.runs.partition(":")
        function = getattr(importlib.import_module(f"sparsitysolver.{module}"), name or "run")
        return (function(*(getattr(args, one) for one in self.options)) if name else function(args)) or 0


def add_commands(parser: argparse.ArgumentParser, groups: Mapping[str, str], commands: Mapping[str, Command]) -> None:
    """Give a parser commands, those of a group (``bench episode``) below it; ``groups`` says what each is for."""
    top = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    below: dict[str, Any] = {}
    for path, declared in commands.items():
        group, _, name = path.rpartition(" ")
        if group and group not in below:
            made = top.add_parser(group, help=groups[group], description=groups[group])
            below[group] = made.add_subparsers(dest="what", required=True, metavar="WHAT")
        made = below.get(group, top).add_parser(name, help=declared.text, description=declared.text)
        made.set_defaults(chosen=declared, path=path)
        for dest, one in declared.options.items():
            default = one.how.get("default")
            how = one.how | ({"default": default()} if callable(default) else {})
            made.add_argument(*([dest] if one.positional else [f"--{dest.replace('_', '-')}", *one.aliases]), **how)
