"""Cells: one model, method, sparsity, seed and task, with the value measured and where it is from."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from sparsitysolver.records.contracts import parts
from sparsitysolver.records.contracts.parts import ABSENT, Closed, Json, Open, Positive, Whole, part


class _Fingerprint(Open):
    dataset: str
    revision: str
    seqlen: Whole
    dtype: str
    eos: Literal["none", "left out"] = ABSENT
    ids_sha256: str = ABSENT


class TextFingerprint(_Fingerprint):
    """The protocol behind a perplexity."""

    text_sha256: str
    split: str
    join: str
    bos: str
    tokens: Whole
    windows: Whole


class TaskFingerprint(_Fingerprint):
    """The protocol behind an accuracy."""

    kind: Literal["zero_shot"]
    items_sha256: str
    items: Positive
    split: Literal["report", "search", "all"]
    task_version: str
    harness: str
    fewshot: Literal[0]
    batch_size: Positive
    bos: Literal["tokenizer", "none"]


def _protocol(fingerprint: Any) -> str:
    return "of a task" if isinstance(fingerprint, dict) and "kind" in fingerprint else "of a text"


class Metric(Closed):
    """A number, its standard error, and of how many windows or items it is."""

    value: float
    n: Positive
    stderr: float | None = None


class Leakage(Open):
    """Whether pruning saw what is reported; null: not known."""

    __pydantic_extra__: dict[str, bool | None]

    calibrated_on_eval_domain: bool | None
    searched_on_reported_split: bool | None
    saw_task: bool | None


class Samples(Closed):
    """Of each item, in order: whether it was answered rightly, and nats of its choices."""

    acc: list[Literal[0, 1]]
    acc_norm: list[Literal[0, 1]] = ABSENT
    loglikelihoods: list[list[float]]


class Cell(Closed):
    """One model, method, sparsity, seed and task; value and provenance."""

    format: Literal[1]
    status: Literal["ok", "skipped"]
    reason: str = Field(ABSENT, description="why the combination is not supported; only where skipped")
    model: parts.Model
    method: str
    label: str = ABSENT
    sparsity: float = Field(description="target; 0 for the dense model")
    seed: parts.SeedIndex
    task: str
    split: str
    metrics: dict[str, Metric] = ABSENT
    fingerprint: Annotated[
        Annotated[TextFingerprint, Tag("of a text")] | Annotated[TaskFingerprint, Tag("of a task")],
        Discriminator(_protocol),
    ] = ABSENT
    size: part(
        "CellSize",
        parts.Size,
        prunable_weights=float,
        prunable_nonzeros=float,
        prunable_dense=float,
        extra_parameters=float,
    ) = ABSENT
    calibration: parts.Windows | None = None
    reconstruction: parts.Windows | None = None
    strategy: parts.Strategy | None = None
    search: Json | None = Field(None, description="algorithm, evaluations, tokens spent searching")
    leakage: Leakage = ABSENT
    seen: parts.SeenList = ABSENT
    facts: Json = Field(ABSENT, description="what the pruner reports of itself")
    windows: parts.Losses = ABSENT
    samples: Samples = ABSENT
    provenance: parts.Provenance
    run: parts.Run = ABSENT
