"""``config/schemas/*.json``: the contracts of records as JSON schemas, for tools in other languages.

``python -m sparsitysolver.records.schemas`` (``make schemas``) writes them; nothing here reads them.
"""

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from sparsitysolver import CONFIG
from sparsitysolver.records.contracts import CONTRACTS
from sparsitysolver.records.files import write_text


class _Plain(GenerateJsonSchema):
    """No titles that say a field's name again, and no defaults: what a record lacks it does not hold."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: Any) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])


def schema_text(kind: str) -> str:
    """The JSON schema of a kind of record, as its file holds it."""
    schema = CONTRACTS[kind].model_json_schema(schema_generator=_Plain)
    return _lines({"$schema": _Plain.schema_dialect} | schema) + "\n"


def _lines(value: Any, indent: int = 1) -> str:
    """JSON with what fits on a line on one line."""
    line = json.dumps(value)
    if len(line) + indent <= 118 or not isinstance(value, dict):
        return line
    items = [f"{' ' * indent}{json.dumps(key)}: {_lines(item, indent + 1)}" for key, item in value.items()]
    return "{\n" + ",\n".join(items) + f"\n{' ' * (indent - 1)}}}"


def schema_path(kind: str) -> Path:
    """Where the JSON schema of a kind of record lies."""
    return CONFIG / "schemas" / f"{kind}.schema.json"


if __name__ == "__main__":
    for kind in CONTRACTS:
        write_text(schema_path(kind), schema_text(kind))
