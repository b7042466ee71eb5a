"""May two numbers be compared? The one place that decides: for two cells, and for a cell beside a published value.

What a method calls its sparsity is not always what it removes: BESA's masks settle where its loss lets them, SliceGPT's
ratio is one of widths, Algorithm 1 stops at whole key-value groups. A difference in quality between models of different
size says little about the methods, so tables, pairs, orders, claims and the arena all ask :func:`unequal`. Rows tuned
on different texts may be compared, and every comparison says so: :func:`other_texts`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sparsitysolver.config.bos import FIRST
from sparsitysolver.config.paper import ANY_METHOD, published_evaluations, tolerance
from sparsitysolver.config.published import not_the_text, other_bos
from sparsitysolver.config.registry import tasks_table
from sparsitysolver.config.tables import DENSE
from sparsitysolver.records.files import Json

UNEQUAL = "unequal sparsity"  # begins every verdict on two cells that may not be compared
_DECIMALS = 4  # of sparsities, as the extended tables print them: a reader of these comes to the same verdict
_ROUNDING = 1e-9  # so that a difference of exactly the tolerance is within it


@dataclass(frozen=True)
class Removed:
    """What was taken from a model; None where not recorded."""

    achieved_sparsity: float | None  # fraction of the dense model's prunable weights that is gone
    parameters: float | None  # all that the model has, a tied head once
    method: str = ""  # whose tolerance of parameters holds; empty for that of any method


def unequal(first: Removed, second: Removed, brief: bool = False) -> str:
    """Why two models may not be compared, with both figures; empty where they may.

    What either does not record is not compared. The dense model may be compared with any other: nothing is claimed of
    it but that it is better or worse than a model that has less. ``brief`` leaves out what sparsities are fractions of.
    """
    if DENSE in (first.method, second.method):
        return ""
    one, other = first.achieved_sparsity, second.achieved_sparsity
    if one is not None and other is not None:
        allowed = float(tolerance("achieved_sparsity", ANY_METHOD).absolute) + _ROUNDING
        if abs(round(one, _DECIMALS) - round(other, _DECIMALS)) > allowed:
            # One decimal of percent, or two where one would show no more than the tolerance.
            digits = 1 if abs(round(one, 3) - round(other, 3)) > allowed else 2
            of_what = "" if brief else " of the prunable weights removed"
            return f"{UNEQUAL}: {one:.{digits}%} and {other:.{digits}%}{of_what}"
    one, other = first.parameters, second.parameters
    if one is not None and other is not None:
        allowed = max(float(tolerance("parameters", removed.method).relative) for removed in (first, second))
        if abs(one - other) > (allowed + _ROUNDING) * max(one, other):
            return f"{UNEQUAL}: {one:,.0f} and {other:,.0f} parameters"
    return ""


def unequal_to_any(own: Removed, others: Iterable[Removed]) -> str:
    """The first reason why a model may not be compared with some others; empty where it may with all."""
    return next((reason for other in others if (reason := unequal(own, other))), "")


def other_texts(first: Iterable[str], second: Iterable[str]) -> str:
    """Words on two sets of text sources that methods were tuned on, where they differ; empty where they do not."""
    one, other = (" and ".join(sorted(set(sources))) or "none" for sources in (first, second))
    return "" if one == other else f"tuned on different texts: {one}; {other}"


@dataclass(frozen=True)
class Measurement:
    """What a number was measured on and how, as far as published protocols say something about it."""

    method: str
    model: str
    tasks: tuple[str, ...]  # its task; all of them for an average over tasks
    split: str
    seqlen: int | None = None  # window length in tokens; None where not recorded
    items: int | None = None  # asked, over all tasks; None for perplexity
    evaluations: int | None = None  # that the search took, of several seeds the fewest; None where nothing was searched
    text_sha256: str = ""  # of the text scored; empty for zero-shot tasks, and where not recorded
    tokens: int | None = None  # of the text; None for zero-shot tasks
    bos: str = ""  # as fingerprints state it; empty where not recorded
    windows: int | None = None  # of the text that were scored; None for zero-shot tasks

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Measurement":
        """What the number of a row of ``cells.csv`` was measured on; its numbers may be texts."""
        names = {"seqlen": "seqlen", "items": "items", "evaluations": "search_evaluations"}
        names |= {name: name for name in ("tokens", "windows")}
        numbers = {name: None if str(row[own]) in ("", "nan") else int(row[own]) for name, own in names.items()}
        texts = {name: row[name] for name in ("text_sha256", "bos")}
        return cls(row["method"], row["model"], (row["task"],), row["split"], **texts, **numbers)


def other_protocol(measured: Measurement, protocol: Json) -> str:
    """In what a measurement differs from the published one: why they may not be compared; empty where they may.

    Args:
        measured: what the number was measured on and how.
        protocol: axes of the published measurement (``published_protocol`` of a table): task, split, seqlen, items, and
            the one model where columns are tasks. What it does not name is not compared, but for the BOS: see
            :func:`other_bos`.
    """
    every = sum(tasks_table()[task].n_items for task in measured.tasks if task in tasks_table())
    found = {
        "task": ", ".join(measured.tasks),
        "split": measured.split,
        "seqlen": measured.seqlen,
        "published_model": measured.model,
        "items": "all" if measured.items == every else f"{measured.items} of {every}",
    }
    differences = [
        f"{axis.removeprefix('published_')} {found[axis]} instead of {published}"
        for axis, published in protocol.items()
        if axis != "bos" and found[axis] != published
    ]
    if measured.items is None:  # requests of tasks each have the BOS that their tokenizer adds, published ones too
        differences.append(other_bos(measured.bos, protocol.get("bos", FIRST)))
    if (protocol.get("task"), protocol.get("split", measured.split)) == (*measured.tasks[:1], measured.split):
        text = (measured.split, measured.text_sha256, measured.tokens, measured.model)
        differences.append(not_the_text(measured.tasks[0], *text))  # of another task or split no more needs to be said
    if measured.windows and measured.tokens and measured.seqlen and protocol:
        every = measured.tokens // measured.seqlen
        differences.append(f"{measured.windows} of {every} windows" if measured.windows < every else "")
    published = published_evaluations().get(measured.method)
    if published is not None and measured.evaluations is not None and measured.evaluations < published:
        differences.append(f"a search of {measured.evaluations} evaluations instead of {published}")
    return ", ".join(filter(None, differences))
