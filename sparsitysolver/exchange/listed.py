"""Numbers in a file's order: a list as Python, numpy or JSON print it, in a log or alone; or lines ``name: number``."""

import re
from collections.abc import Callable
from pathlib import Path

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.exchange.entries import Entry, Names, number

_LINE = re.compile(r"\s*(?P<name>[\w.]+)\s*:\s*(?P<value>[^\s:]+)\s*")
_LIST = re.compile(r"\[(?:[^\[\]]|\[[^\[\]]*\])*\]")  # with lists in it one level deep: a row per layer
_WRAPPED = re.compile(r"\b(?:np\.)?float\d+\(([^()]*)\)")  # numpy 2 shows np.float64(0.3)
_NUMBER = re.compile(r"[-+]?(?:\d|\.\d|nan\b|inf)", re.IGNORECASE)
_TOKEN = re.compile(r"[^\s,\[\]]+")
# OWL prints outlier ratios first, in a list as long, and then densities after these words.
_FINAL = re.compile(r"after adjustment\W*$")
_BEFORE = 80  # characters before a list in which they are looked for


def named_lines(text: str, path: Path) -> list[Entry] | None:
    """Entries of lines ``name: number``; None where any other line is in the text."""
    found = [(line, _LINE.fullmatch(content)) for line, content in enumerate(text.splitlines(), 1) if content.strip()]
    if not all(match for _, match in found):
        return None
    return [
        Entry(line, match["name"], number(match["value"], f"{path}, line {line}")) for line, match in found if match
    ]


def listed(text: str, names: Names, path: Path) -> list[Entry]:
    """Entries of the one list in a text that has as many numbers as the model has layers or units.

    Of several the one after the words ``after adjustment`` counts; the same list twice counts once.

    Raises:
        SparsitySolverError: no such list, several, or something in it that is no number.
    """
    at_line = _line_counter(text)
    lists = _lists(text)
    counts = {names.layers: lambda i: f"layers.{i}", len(names.units): lambda i: names.units[i].name}
    fitting = [tokens for tokens in lists if len(tokens) in counts]
    final = [tokens for tokens in fitting if _FINAL.search(_before(tokens[0]))]
    distinct = {tuple(token.group() for token in tokens): tokens for tokens in final or fitting}
    if len(distinct) != 1:
        raise _not_one(path, names, lists, list(distinct.values()), at_line)
    (tokens,) = distinct.values()
    name = counts[len(tokens)]
    lines = [at_line(token.start()) for token in tokens]
    return [
        Entry(line, name(index), number(token.group(), f"{path}, line {line}"))
        for index, (line, token) in enumerate(zip(lines, tokens, strict=True))
    ]


def _lists(text: str) -> list[list[re.Match]]:
    """The tokens of every list of numbers in a text, or of the whole text where it has no brackets."""
    plain = _WRAPPED.sub(lambda match: match[1].center(len(match[0])), text)  # of the same length: places stay
    spans = [match.span() for match in _LIST.finditer(plain)] or [(0, len(plain))]
    tokens = [list(_TOKEN.finditer(plain, *span)) for span in spans]
    return [found for found in tokens if found and _NUMBER.match(found[0].group())]


def _before(token: re.Match) -> str:
    return token.string[max(0, token.start() - _BEFORE) : token.start()]


def _line_counter(text: str) -> Callable[[int], int]:
    return lambda offset: text.count("\n", 0, offset) + 1


def _not_one(
    path: Path, names: Names, lists: list[list[re.Match]], fitting: list[list[re.Match]], at_line: Callable[[int], int]
) -> SparsitySolverError:
    wanted = f"{names.layers} numbers (one a layer) or {len(names.units)} (one a unit)"
    if fitting:
        lines = ", ".join(str(at_line(tokens[0].start())) for tokens in fitting)
        return SparsitySolverError(f"{path}: {len(fitting)} lists of {wanted}, on lines {lines}; keep one of them.")
    if lists:
        found = ", ".join(f"{len(tokens)} on line {at_line(tokens[0].start())}" for tokens in lists[:3])
        return SparsitySolverError(f"{path}: a list of {wanted} is needed for this model; lists found: {found}.")
    return SparsitySolverError(f"{path}, line 1: no list of numbers found; a list of {wanted} is needed.")
