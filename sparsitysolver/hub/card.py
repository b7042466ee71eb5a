"""The model card of a pruned model, README.md of its folder: all it says stands in the pruning record (no torch)."""

import json
import re
from pathlib import Path

import jinja2
import yaml

from sparsitysolver.records.files import Json

CARD = "README.md"
HUB_FIELD = "hub"  # of a pruning record: what only a folder for the hub has
_LICENCE = ("license", "license_name", "license_link")  # of a card's head
_CARD = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
    Path(__file__).with_name("card.j2").read_text(encoding="utf-8")
)


def model_card(record: Json) -> str:
    """The card of a pruned model from its record, which has ``provenance``, ``size`` and ``hub`` (:func:`hub_record`).

    The head is YAML as the hub reads it; a value that the card asks for and the record lacks is an error.
    """
    about, size = record[HUB_FIELD], record["size"]
    head = {
        **({"base_model": about["base_model"]} if about["base_model"] else {}),
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        **(about["license"] or {}),
        "tags": ["pruned", "sparsitysolver", record["method"], record["model"]["family"]],
    }
    text = _CARD.render(
        record,
        # JSON is YAML: no value needs a thought about quotes
        head="\n".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in head.items()),
        base=about["base_model"] or record["model"]["name"],
        about=about,
        smaller=size["parameters"] != size["dense_parameters"],
        same=record["method"] == "dense",
    )
    return text.rstrip("\n") + "\n"


def hub_record(
    base_model: str | None, licence: Json | None, dtype: str, computed_in: str, code: bool, papers: dict[str, str]
) -> Json:
    """What a card needs besides the rest of a pruning record.

    Args:
        base_model: the dense model's id on the hub, None where it has none that is known.
        licence: fields of a card's head, as :func:`licence_in` finds them.
        dtype: the precision of the written weights.
        computed_in: the precision that the model was pruned in.
        code: whether the folder holds a file of code, without which nothing but this package loads it.
        papers: the sources of the method, by part (``allocation``, ``pruning``).
    """
    return {
        "base_model": base_model,
        "license": licence,
        "dtype": dtype,
        "computed_in": computed_in,
        "code": code,
        "papers": papers,
        "perplexity": None,
    }


def licence_in(card: str) -> Json | None:
    """The licence that the head of a model card tells, as fields of a head; None where it tells none."""
    head = re.match(r"---\s*\n(.*?)\n---", card, re.DOTALL)
    try:
        told = yaml.safe_load(head[1]) if head else None
    except yaml.YAMLError:  # someone else's card: what cannot be read tells nothing
        return None
    found = {name: told[name] for name in _LICENCE if isinstance(told.get(name), str)} if isinstance(told, dict) else {}
    return found if "license" in found else None
