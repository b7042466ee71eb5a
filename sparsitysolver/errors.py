"""Errors that a user can mend: each says what was asked, what was found, and what is allowed or to do next."""

import difflib
import sys
from collections.abc import Collection, Iterable

EXIT_USER_ERROR = 2
_MEMORY_MARKS = ("out of memory", "can't allocate memory", "cannot allocate memory")


class SparsitySolverError(Exception):
    """A mistake in the input or the surroundings; the command line prints it without a traceback, status 2."""


def unknown_name(kind: str, asked: str, allowed: Iterable[str]) -> SparsitySolverError:
    """Error for a failed look-up: the kind, the name asked for, up to three near names, and all that is allowed."""
    names = sorted(allowed)
    near = difflib.get_close_matches(asked, names, n=3, cutoff=0.6)
    hint = f"; did you mean {' or '.join(near)}?" if near else "."
    return SparsitySolverError(f"unknown {kind} '{asked}'{hint} Allowed: {', '.join(names) or 'none'}.")


def known(kind: str, asked: str, allowed: Collection[str]) -> str:
    """The name asked for, if it is allowed; else the error of :func:`unknown_name`."""
    if asked not in allowed:
        raise unknown_name(kind, asked, allowed)
    return asked


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on the host or on a GPU; torch says so in the text of a ``RuntimeError``."""
    said = isinstance(error, RuntimeError) and any(mark in str(error).lower() for mark in _MEMORY_MARKS)
    return said or isinstance(error, MemoryError)


def report_error(program: str, error: Exception | str) -> int:
    """Print one line for the user on standard error; returns the exit status."""
    print(f"{program}: error: {error}", file=sys.stderr)
    return EXIT_USER_ERROR


def report_warning(program: str, text: str) -> None:
    """Print one line on standard error about a result that is right and may not be what was meant."""
    print(f"{program}: warning: {text}", file=sys.stderr)
