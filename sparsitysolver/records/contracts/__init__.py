"""What a record of each kind holds: the contract that files are checked by, and that JSON schemas are generated from.

Records are plain dictionaries everywhere else; a contract checks one and changes nothing in it.
"""

import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from sparsitysolver.records.contracts.bundle import Bundle
from sparsitysolver.records.contracts.cell import Cell
from sparsitysolver.records.contracts.strategy import Effects, Strategy
from sparsitysolver.records.contracts.studies import Arena, Inference, Reconstruction, Transfer

CONTRACTS: dict[str, type[BaseModel]] = {
    "arena": Arena,
    "bundle": Bundle,
    "cell": Cell,
    "effects": Effects,
    "inference": Inference,
    "reconstruction": Reconstruction,
    "strategy": Strategy,
    "transfer": Transfer,
}
_NEEDED = {
    "model_type": "an object",
    "dict_type": "an object",
    "list_type": "a list",
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
}


def problem(record: Mapping[str, Any], kind: str) -> str | None:
    """What is wrong with a record, as ``field: what``; None where nothing is."""
    try:
        CONTRACTS[kind].model_validate(record)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        *outer, last = first["loc"]
        of_object = first["type"] in ("missing", "extra_forbidden")
        return f"{_field(record, outer if of_object else first['loc'])}: {_what(first, last)}"
    return None


def _field(record: Any, location: Sequence[str | int]) -> str:
    """A place in a record; what is not in it names one of several contracts, and is left out."""
    parts = []
    for part in location:
        try:
            record = record[part]
        except (KeyError, IndexError, TypeError):
            continue
        parts.append(str(part))
    return "/".join(parts) or "top level"


def _what(error: Mapping[str, Any], name: str | int) -> str:
    if error["type"] == "missing":
        return f"'{name}' is a required property"
    if error["type"] == "extra_forbidden":
        return f"'{name}' is unexpected; no other properties are allowed"
    found = reprlib.repr(error["input"])
    if error["type"] in _NEEDED:
        return f"{found} found; {_NEEDED[error['type']]} is needed"
    return f"{found} found; {error['msg'].replace('Input', 'it', 1)}"
