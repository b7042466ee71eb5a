"""From a file of configuration to checked objects, or to one sentence that names the place of a mistake (no torch)."""

import csv
import functools
import re
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from sparsitysolver.errors import SparsitySolverError, known, unknown_name

_UNKNOWN, _MISSING = "unknown_field", "missing_field"
_EMPTY = ("", "-")  # of fields of a table: the contract's default holds

T = TypeVar("T")
C = TypeVar("C", bound="Contract")


class Contract(BaseModel):
    """What a file, or an entry of one, holds: these fields and no others, which nothing changes afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    @classmethod
    def also_takes(cls, name: str) -> bool:
        """Whether a contract that allows other fields takes one of this name."""
        return False

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, given: Any) -> Any:
        """Refuse misspelt and missing fields before others are looked at, with all that a file may have."""
        if not isinstance(given, Mapping):
            return given
        fields = {field.alias or name: field for name, field in cls.model_fields.items()}
        for name in given:
            if name not in fields and not cls.also_takes(str(name)):
                context = {"name": str(name), "allowed": [one for one, field in fields.items() if not field.exclude]}
                raise PydanticCustomError(_UNKNOWN, "unknown field '{name}'", context)
        needed = [name for name, field in fields.items() if field.is_required()]
        for name in needed:
            if given.get(name) is None:
                raise PydanticCustomError(_MISSING, "'{name}' is missing", {"name": name, "needed": ", ".join(needed)})
        return given


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


Numbers = Annotated[tuple[float, ...], BeforeValidator(_listed)]  # in a file one number, or several


def checked(kind: type[T], given: Any, where: Path | str = "") -> T:
    """What was read as an object of a type (a contract, a tuple of them).

    Raises:
        SparsitySolverError: one sentence on the first mistake, with the place where it was read, if that is given.
    """
    try:
        return _adapter(kind).validate_python(given)
    except ValidationError as error:
        raise _mistake(error.errors(include_url=False)[0], str(where)) from error
    except SparsitySolverError as error:
        raise SparsitySolverError(f"{where}: {error}" if where else str(error)) from error


@functools.cache
def _adapter(kind: type[T]) -> TypeAdapter[T]:
    return TypeAdapter(kind)


def _mistake(found: ErrorDetails, where: str) -> SparsitySolverError:
    parts = [f"entry {part + 1}" if isinstance(part, int) else str(part) for part in found["loc"]]
    place = [where, *parts] if where else parts
    context, here = found.get("ctx", {}), ", ".join(place)
    if found["type"] == _UNKNOWN:
        return unknown_name(f"field (in {here})", context["name"], context["allowed"])
    if found["type"] == _MISSING:
        return SparsitySolverError(f"{here}: '{context['name']}' is missing; needed: {context['needed']}.")
    if found["type"] == "literal_error":
        *outer, name = place
        if name == "[key]":  # of a mapping whose names are known
            *outer, name = *outer[:-1], "field"
        kind = f"{name} (in {', '.join(outer)})" if outer else name
        return unknown_name(kind, str(found["input"]), re.findall(r"'([^']*)'", context["expected"]))
    said = re.sub(r"^Input |^Value error, | or instance of \w+", "", found["msg"]).replace("tuple", "list")
    return SparsitySolverError(f"{here}: {said}; found {reprlib.repr(found['input'])}.")


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


def read_rows(path: Path, kind: type[C]) -> list[C]:
    """The rows of a table; see :func:`read_numbered`."""
    return [row for _, row in read_numbered(path, kind)]


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
    places = [(f"{path}, line {line}", cells) for line, cells in lines]
    given = [(where, {name: text for name, text in cells.items() if text not in _EMPTY}) for where, cells in places]
    return [(where, checked(kind, fields, where)) for where, fields in given]


def read_lines(path: Path, key: str = "") -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """A table as header and (line number, cells by column); errors name a row by its ``key`` column, else its first.

    Raises:
        SparsitySolverError: no such file, no text, no column ``key``, a column without a name or named twice, or a row
            that is longer or shorter than the header.
    """
    (_, header), *lines = _lines(path) or [(1, [])]
    for column in header:
        if not column or header.count(column) > 1:
            fault = "stands twice" if column else "has no name"
            raise SparsitySolverError(f"{path}, line 1: column '{column}' {fault}.")
    if not header or (key and key not in header):
        found = ", ".join(header) or "an empty file"
        raise SparsitySolverError(f"{path}, line 1: column '{key}' is missing; found {found}.")
    place = header.index(key) if key else 0
    for line, cells in lines:
        if len(cells) != len(header):
            raise _other_length(header, cells, f"{path}, line {line}, row '{''.join(cells[place : place + 1])}'")
    return header, [(line, dict(zip(header, cells, strict=True))) for line, cells in lines]


def _other_length(header: Sequence[str], cells: Sequence[str], where: str) -> SparsitySolverError:
    short = len(cells) < len(header)
    fault = f"column '{header[len(cells)]}' is missing" if short else "no column for the rest"
    return SparsitySolverError(f"{where}: {len(cells)} fields, the header has {len(header)}; {fault}.")


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Line numbers and cells, without blank lines and comments."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.reader(handle, strict=True, delimiter="\t" if path.suffix == ".tsv" else ",")
            rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if cells]
    except FileNotFoundError as error:
        raise SparsitySolverError(f"no table at {path}.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise SparsitySolverError(f"{path} is no CSV file in UTF-8: {error}.") from error
    return [(line, cells) for line, cells in rows if len(cells) > 1 or not cells[0].startswith("#")]
