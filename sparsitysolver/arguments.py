"""The parser of the command line: what is misspelt is one sentence, as every other mistake is (no torch)."""

import argparse
from typing import Any, NoReturn

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.provenance import without_secrets
from sparsitysolver.seeds import SEED_LIMIT


class Parser(argparse.ArgumentParser):
    """Raises in place of printing its usage; options of ``type=int`` and ``type=float`` say what numbers look like.

    Subcommands get parsers of the same class.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.register("type", int, whole_number)
        self.register("type", float, number)

    def error(self, message: str) -> NoReturn:
        """What argparse found wrong, in one line, without the secrets of an address that stands where none is taken.

        Raises:
            SparsitySolverError: always.
        """
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
        meant = _meant(text)
        hint = "" if meant is None else f"; give {meant:g}"
        raise argparse.ArgumentTypeError(f"'{text}' is no number{hint}") from error


def seed(text: str) -> int:
    """An option's text as a seed that every generator in use takes."""
    value = whole_number(text)
    if not 0 <= value < SEED_LIMIT:
        raise argparse.ArgumentTypeError(f"'{text}' is no seed; seeds are 0 to {SEED_LIMIT - 1}")
    return value


def _meant(text: str) -> float | None:
    value, percent, rest = text.strip().replace(",", ".").partition("%")
    try:
        return None if rest else float(value) / (100 if percent else 1)
    except ValueError:
        return None
