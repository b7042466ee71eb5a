"""Options and commands, declared once: beside the defaults of settings, or in a table of commands (no torch)."""

import argparse
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType, UnionType
from typing import Any, get_args, get_type_hints

REQUIRED = ...  # in the place of a default
_SETTING = "option"


@dataclass(frozen=True)
class Option:
    """An option or a positional argument without its name: aliases, and what argparse takes."""

    how: dict[str, Any]
    aliases: tuple[str, ...] = ()
    positional: bool = False

    def add_to(self, parser: argparse.ArgumentParser, name: str) -> None:
        """Give it to a parser under its name."""
        flags = [name] if self.positional else [f"--{name.replace('_', '-')}", *self.aliases]
        default = self.how.get("default")
        made = {"default": default()} if callable(default) else {}
        parser.add_argument(*flags, **self.how | made)


Options = Mapping[str, Option]


def options(*shared: Options, **own: Option) -> Options:
    """Options by name, in the order of the help; of the same name the later one counts."""
    return {name: one for group in (*shared, own) for name, one in group.items()}


def option(default: Any, help: str, *aliases: str, **how: Any) -> Option:
    """An option of the type of its default; ``%(default)s`` in its help stands for that.

    Args:
        default: REQUIRED where it must be given; False makes a switch, a list collects what is given again and again,
            a function is called when the parser is built.
        help: as argparse takes it.
        aliases: further names, such as ``--save``.
        how: of argparse's ``add_argument``; ``type`` where the default does not tell it.
    """
    if default is False:
        return Option({"action": "store_true", "help": help}, aliases)
    known = {"required": True} if default is REQUIRED else {"default": default}
    if isinstance(default, list):
        known |= {} if "nargs" in how else {"action": "append"}
    elif not (default is REQUIRED or default is None or callable(default)):
        known["type"] = type(default)
    return Option({"help": help, **known, **how}, aliases)


def argument(metavar: str | None, help: str, **how: Any) -> Option:
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


@dataclass(frozen=True)
class Command:
    """A command: what it does in words, what runs it, and its options.

    ``runs`` is a module with a function ``run`` of all parsed options, or ``module:function``, a function that takes
    them one by one in their order. It is imported when it runs: libraries take seconds.
    """

    text: str
    runs: str
    options: Options

    def run(self, args: argparse.Namespace) -> int:
        """Run it; returns the exit status."""
        module, _, name = self.runs.partition(":")
        function = getattr(importlib.import_module(f"sparsitysolver.{module}"), name or "run")
        return (function(*(getattr(args, one) for one in self.options)) if name else function(args)) or 0


def command(text: str, runs: str, shared: Options = MappingProxyType({}), **own: Option) -> Command:
    """A command with options that others have too, and options of its own, which take the place of shared ones."""
    return Command(text, runs, {**shared, **own})


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
        for name, one in declared.options.items():
            one.add_to(made, name)
