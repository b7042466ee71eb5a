"""What an item of a zero-shot task must hold: the fields that ``config/tasks.tsv`` lists, which lm-eval's prompts read.

A row lists ``name:kind`` with blanks between. Kinds are

- ``text``: any text, an empty one too (the second context of HellaSwag often is); ``blank``: with a blank written as _;
- ``option``: a text to choose, never empty, because accuracy is normalised by its length; ``4_options``: four of them;
- ``labelled``: ``{"text": [...], "label": [...]}``, two or more options with their labels; ``key``, behind them: one of
  these labels;
- ``0|1``: one of these numbers; ``'1'|'2'``: one of these texts, or the number that it spells.

Fields that are not listed (ids, sources) are left out of a record, so that one item has one spelling wherever it comes
from.
"""

from collections.abc import Mapping
from typing import Any

from sparsitysolver.config.registry import zero_shot_task
from sparsitysolver.data.files import shown, text_value
from sparsitysolver.errors import unknown_name
from sparsitysolver.records.files import Json

_LABELLED, _KEY = "labelled", "key"


def item_fields(harness_task: str) -> dict[str, str]:
    """The kind of every field that an item of a task of lm-eval must hold, in order."""
    return dict(field.split(":", 1) for field in zero_shot_task(harness_task).fields.split())


def item_record(harness_task: str, value: Any) -> Json:
    """An item as a record: the fields of its task, in their order, with values of the hub's types.

    Raises:
        ValueError: a field is missing or wrong; the message says which, what was found and what is allowed.
    """
    fields = item_fields(harness_task)
    if not isinstance(value, Mapping):
        raise ValueError(f"no JSON object but {shown(value)}; an item of {harness_task} is one.")
    record: Json = {}
    for field, kind in fields.items():
        if field not in value:
            raise ValueError(f"no field '{field}'; an item of {harness_task} has {', '.join(fields)}.")
        try:
            record[field] = _checked(kind, value[field], record, fields)
        except ValueError as error:
            raise ValueError(f"field '{field}' is {shown(value[field])}; allowed: {error}.") from error
    return record


def _checked(kind: str, value: Any, record: Json, fields: Mapping[str, str]) -> Any:
    """The value in the hub's type; raises ValueError with what is allowed."""
    count, _, several = kind.partition("_")
    if several == "options":
        if not isinstance(value, list) or len(value) != int(count):
            raise ValueError(f"a list of {count} texts")
        return [_option(one) for one in value]
    if kind == _KEY:
        labels = next(record[field]["label"] for field, other in fields.items() if other == _LABELLED)
        return _one_of(labels, text_value(value).strip())  # some keys on the hub have a blank before the letter
    if "|" in kind:
        return _label(kind.split("|"), value)
    kinds = {"text": text_value, "option": _option, "blank": _blank, _LABELLED: _labelled}
    if kind not in kinds:
        raise unknown_name("kind of field (in config/tasks.tsv)", kind, [*kinds, _KEY, "4_options", "0|1", "'0'|'1'"])
    return kinds[kind](value)


def _option(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text that is not empty")
    return text_value(value)


def _blank(value: Any) -> str:
    if "_" not in text_value(value):
        raise ValueError("a text with a blank written as _")
    return value


def _one_of(labels: list[str], value: str) -> str:
    if value not in labels:
        raise ValueError(", ".join(labels))
    return value


def _label(allowed: list[str], value: Any) -> Any:
    """A number, or a text, of these; True and False are no numbers."""
    kind = str if allowed[0].startswith("'") else int
    if type(value) not in (int, kind) or str(value) not in [one.strip("'") for one in allowed]:
        raise ValueError(" or ".join(allowed))
    return kind(value)


def _labelled(value: Any) -> Json:
    allowed = "an object with the lists 'text' and 'label', two or more texts that are not empty and their labels"
    if not isinstance(value, Mapping) or not all(isinstance(value.get(key), list) for key in ("text", "label")):
        raise ValueError(allowed)
    texts, labels = value["text"], value["label"]
    if not 2 <= len(texts) == len(labels) or not all(isinstance(one, str) and one for one in (*texts, *labels)):
        raise ValueError(allowed)
    if len(set(labels)) != len(labels):
        raise ValueError("labels that differ from one another")
    return {"text": list(map(text_value, texts)), "label": list(map(text_value, labels))}
