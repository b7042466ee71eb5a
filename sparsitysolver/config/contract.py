"""From a file of configuration to checked objects, or to one sentence that names the place of a mistake (no torch)."""

import csv
import functools
import operator
import re
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from sparsitysolver.errors import SparsitySolverError, known, unknown_name

_UNKNOWN, _MISSING = "unknown_field", "missing_field"
_EMPTY = ("", "-")  # fields of a table for which the contract's default holds

T = TypeVar("T")
C = TypeVar("C", bound="Contract")


class Contract(BaseModel):
    """What a file, or an entry of one, holds: these fields and no others, which nothing changes afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    other_names: ClassVar[str] = ".*"  # what other fields are called, where these are allowed (a regular expression)

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, given: Any) -> Any:
        """Refuse misspelt and missing fields before others are looked at, with all that there may be."""
        if not isinstance(given, Mapping):
            return given
        fields = {field.alias or name: field for name, field in cls.model_fields.items()}
        others = cls.other_names if cls.model_config["extra"] == "allow" else ""
        for name in given:
            if name not in fields and not re.fullmatch(others, str(name)):
                context = {"name": str(name), "allowed": [one for one, field in fields.items() if not field.exclude]}
                raise PydanticCustomError(_UNKNOWN, "unknown field '{name}'", context)
        needed = [name for name, field in fields.items() if field.is_required()]
        for name in needed:
            if name not in given:
                raise PydanticCustomError(_MISSING, "'{name}' is missing", {"name": name, "needed": ", ".join(needed)})
        return given


Numbers = Annotated[  # in a file one number, or several
    tuple[float, ...], BeforeValidator(lambda value: value if isinstance(value, list | tuple) else [value])
]
_adapter = functools.cache(TypeAdapter)


def checked(kind: type[T], given: Any, where: Path | str = "") -> T:
    """What was read as an object of a type (a contract, a tuple of them).

    Raises:
        SparsitySolverError: one sentence on the first mistake, with the place where it was read, if that is given.
    """
    try:
        return _adapter(kind).validate_python(given)
    except ValidationError as error:
        raise _mistake(error.errors(include_url=False)[0], given, str(where)) from error
    except SparsitySolverError as error:
        raise SparsitySolverError(f"{where}: {error}" if where else str(error)) from error


def _mistake(found: ErrorDetails, given: Any, where: str) -> SparsitySolverError:
    places = [where] if where else []
    for part in found["loc"]:
        try:
            given = given[part]
        except (KeyError, IndexError, TypeError):
            continue  # no place: names one of several contracts
        places.append(f"entry {part + 1}" if isinstance(part, int) else str(part))
    context, here = found.get("ctx", {}), ", ".join(places)
    start = f"{here}: " if here else ""
    if found["type"] == _UNKNOWN:
        return unknown_name(f"field (in {here})" if here else "field", context["name"], context["allowed"])
    if found["type"] == _MISSING:
        return SparsitySolverError(f"{start}'{context['name']}' is missing; needed: {context['needed']}.")
    if found["type"] == "literal_error" and "'" in context["expected"]:
        *outer, name = places
        if found["loc"][-1] == "[key]":  # of a mapping whose names are known
            outer, name = outer or places, "field"
        kind = f"{name} (in {', '.join(outer)})" if outer else name
        return unknown_name(kind, str(found["input"]), re.findall(r"'([^']*)'", context["expected"]))
    said = re.sub(r"^Input |^Value error, | or instance of \w+", "", found["msg"])
    said = said.replace("tuple", "list").replace("dictionary", "mapping")
    return SparsitySolverError(f"{start}{said}; found {reprlib.repr(found['input'])}.")


def read_yaml(path: Path, kind: type[T], **fields: Any) -> T:
    """A YAML file as an object of a type; ``fields`` are those that do not stand in the file, such as its name.

    Raises:
        SparsitySolverError: no YAML, or see :func:`checked`.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SparsitySolverError(f"{path} is no YAML file: {' '.join(str(error).split())}.") from error
    return checked(kind, content | fields if isinstance(content, dict) else content, path)


@functools.cache
def keyed(path: Path, kind: type[C], *columns: str) -> dict[Any, C]:
    """The rows of a table by one of its columns, or by several."""
    return {operator.attrgetter(*columns)(row): row for row in read_rows(path, kind)}


@functools.cache
def read_rows(path: Path, kind: type[C]) -> tuple[C, ...]:
    """The rows of a table; see :func:`read_numbered`."""
    return tuple(row for _, row in read_numbered(path, kind))


def read_numbered(path: Path, kind: type[C]) -> list[tuple[str, C]]:
    """The rows of a table (CSV, or TSV by its ending) whose columns are the fields of a contract, each with its place.

    An empty field or a dash takes the contract's default.

    Raises:
        SparsitySolverError: see :func:`read_lines` and :func:`checked`; a column too many or too few.
    """
    header, lines = read_lines(path)
    for column in kind.model_fields:
        if column not in header:
            raise SparsitySolverError(f"{path}, line 1: column '{column}' is missing; found {', '.join(header)}.")
    for column in header:
        known(f"column (in {path}, line 1)", column, kind.model_fields)
    found = []
    for line, cells in lines:
        where, given = f"{path}, line {line}", {name: text for name, text in cells.items() if text not in _EMPTY}
        found.append((where, checked(kind, given, where)))
    return found


def read_lines(path: Path, key: str = "") -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """A table as header and (line number, cells by column); errors name a row by its ``key`` column, else its first.

    Blank lines and comments are left out.

    Raises:
        SparsitySolverError: no such file, no text, no column ``key``, a column without a name or named twice, or a row
            that is longer or shorter than the header.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.reader(handle, strict=True, delimiter="\t" if path.suffix == ".tsv" else ",")
            rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if cells]
    except FileNotFoundError as error:
        raise SparsitySolverError(f"no table at {path}.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise SparsitySolverError(f"{path} is no CSV file in UTF-8: {error}.") from error
    header, *lines = [row for row in rows if len(row[1]) > 1 or not row[1][0].startswith("#")] or [(1, [])]
    names = header[1]
    for column in names:
        if not column or names.count(column) > 1:
            fault = "stands twice" if column else "has no name"
            raise SparsitySolverError(f"{path}, line 1: column '{column}' {fault}.")
    if not names or (key and key not in names):
        found = ", ".join(names) or "an empty file"
        raise SparsitySolverError(f"{path}, line 1: column '{key}' is missing; found {found}.")
    place = names.index(key) if key else 0
    for line, cells in lines:
        if len(cells) != len(names):
            short = len(cells) < len(names)
            fault = f"column '{names[len(cells)]}' is missing" if short else "no column for the rest"
            raise SparsitySolverError(
                f"{path}, line {line}, row '{''.join(cells[place : place + 1])}': {len(cells)} fields, the header has "
                f"{len(names)}; {fault}."
            )
    return names, [(line, dict(zip(names, cells, strict=True))) for line, cells in lines]
