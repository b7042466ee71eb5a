"""What an item of each zero-shot task must hold: the columns of the data sets on the hub that lm-eval reads.

A schema lists checks by field. Fields that no prompt reads (ids, sources) are left out of a record, so that one item
has one spelling wherever it comes from.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sparsitysolver.data.files import shown, text_value
from sparsitysolver.records.files import Json

Check = Callable[[Any], Any]  # the value in the hub's type; raises ValueError with what is allowed


def text(value: Any) -> str:
    """Any text; an empty one is a text too (the second context of HellaSwag often is)."""
    return text_value(value)


def option(value: Any) -> str:
    """A text to choose; it is never empty, because accuracy is normalised by its length."""
    if not isinstance(value, str) or not value:
        raise ValueError("a text that is not empty")
    return text_value(value)


def blank(value: Any) -> str:
    """A text with a blank to fill."""
    if "_" not in text(value):
        raise ValueError("a text with a blank written as _")
    return value


def number(*allowed: int) -> Check:
    """One of these integers; True and False are none."""
    return _label(allowed, int)


def digit(*allowed: int) -> Check:
    """One of these integers written as a text, as the hub has it; the integer itself means the same."""
    return _label(allowed, str)


def _label(allowed: tuple[int, ...], kind: type) -> Check:
    def check(value: Any) -> Any:
        same = type(value) in (int, kind) and str(value) in map(str, allowed)
        if not same:
            raise ValueError(" or ".join(repr(kind(one)) for one in allowed))
        return kind(value)

    return check


def options(count: int) -> Check:
    """So many texts to choose from."""

    def check(value: Any) -> list[str]:
        if not isinstance(value, list) or len(value) != count:
            raise ValueError(f"a list of {count} texts")
        return [option(one) for one in value]

    return check


def labelled_options(value: Any) -> Json:
    """``{"text": [...], "label": [...]}``: two or more texts and as many different labels."""
    allowed = "an object with the lists 'text' and 'label', two or more texts that are not empty and their labels"
    if not isinstance(value, Mapping) or not all(isinstance(value.get(key), list) for key in ("text", "label")):
        raise ValueError(allowed)
    texts, labels = value["text"], value["label"]
    if not 2 <= len(texts) == len(labels) or not all(isinstance(one, str) and one for one in (*texts, *labels)):
        raise ValueError(allowed)
    if len(set(labels)) != len(labels):
        raise ValueError("labels that differ from one another")
    return {"text": list(map(text_value, texts)), "label": list(map(text_value, labels))}


@dataclass(frozen=True)
class Schema:
    """``split``: the hub's split that the stock task evaluates. ``key``: field that names one of ``choices``."""

    split: str
    fields: Mapping[str, Check]
    key: str | None = None


_ARC = Schema("test", {"question": text, "choices": labelled_options, "answerKey": text}, key="answerKey")
SCHEMAS = {
    "boolq": Schema("validation", {"passage": text, "question": text, "label": number(0, 1)}),
    "piqa": Schema("validation", {"goal": text, "sol1": option, "sol2": option, "label": number(0, 1)}),
    "hellaswag": Schema(
        "validation",
        {"activity_label": text, "ctx_a": text, "ctx_b": text, "endings": options(4), "label": digit(0, 1, 2, 3)},
    ),
    "winogrande": Schema(
        "validation", {"sentence": blank, "option1": option, "option2": option, "answer": digit(1, 2)}
    ),
    "arc_easy": _ARC,
    "arc_challenge": _ARC,
    "openbookqa": Schema(
        "test", {"question_stem": text, "choices": labelled_options, "answerKey": text}, key="answerKey"
    ),
}


def item_record(harness_task: str, value: Any) -> Json:
    """An item as a record: the fields of the schema, in its order.

    Raises:
        ValueError: a field is missing or wrong; the message says which, what was found and what is allowed.
    """
    schema = SCHEMAS[harness_task]
    if not isinstance(value, Mapping):
        raise ValueError(f"no JSON object but {shown(value)}; an item of {harness_task} is one.")
    record = {}
    for field, check in schema.fields.items():
        if field not in value:
            raise ValueError(f"no field '{field}'; an item of {harness_task} has {', '.join(schema.fields)}.")
        try:
            record[field] = check(value[field])
        except ValueError as error:
            raise ValueError(f"field '{field}' is {shown(value[field])}; allowed: {error}.") from error
    if schema.key is not None:
        _check_key(schema.key, record)
    return record


def _check_key(field: str, record: Json) -> None:
    record[field] = record[field].strip()  # some keys on the hub have a blank before the letter
    labels = record["choices"]["label"]
    if record[field] not in labels:
        raise ValueError(f"field '{field}' is {shown(record[field])}; allowed: {', '.join(labels)}.")
