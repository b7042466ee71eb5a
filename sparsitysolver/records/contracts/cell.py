"""Cells: one model, method, sparsity, seed and task, with the value measured and where it is from."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from sparsitysolver.records.contracts.parts import (
    ABSENT,
    Closed,
    Json,
    Model,
    Open,
    Positive,
    Provenance,
    Run,
    Seen,
    Size,
    Strategy,
    Whole,
)

OF_TEXT, OF_TASK = "protocol of a text", "protocol of a task"


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


def _protocol(value: Any) -> str:
    has_kind = "kind" in value if isinstance(value, dict) else hasattr(value, "kind")
    return OF_TASK if has_kind else OF_TEXT


Fingerprint = Annotated[
    Annotated[TextFingerprint, Tag(OF_TEXT)] | Annotated[TaskFingerprint, Tag(OF_TASK)], Discriminator(_protocol)
]


class Metric(Closed):
    """A number, its standard error, and of how many windows or items it is."""

    value: float
    n: Positive
    stderr: float | None = None


class CellSize(Size):
    """What is left of the model, and of its prunable weights."""

    prunable_weights: float
    prunable_nonzeros: float
    prunable_dense: float
    extra_parameters: float


class Leakage(Closed):
    """Whether pruning saw what is reported; null: not known."""

    model_config = ConfigDict(extra="allow")
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
    model: Model
    method: str
    label: str = ABSENT
    sparsity: float = Field(description="target; 0 for the dense model")
    seed: Whole = Field(description="seed index")
    task: str
    split: str
    metrics: dict[str, Metric] = ABSENT
    fingerprint: Fingerprint = Field(ABSENT, description="zero-shot accuracy has a kind, perplexity has none")
    size: CellSize = ABSENT
    calibration: Json | None = Field(None, description="source, sampler, nsamples, seqlen, tokens, sha256")
    reconstruction: Json | None = Field(None, description="the same for the windows of reconstruction")
    strategy: Strategy | None = None
    search: Json | None = Field(None, description="algorithm, evaluations, tokens spent searching")
    leakage: Leakage = ABSENT
    seen: list[Seen] = Field(ABSENT, description="what the model was made from: leakage follows from it")
    facts: Json = Field(ABSENT, description="what the pruner reports of itself")
    windows: list[float] = Field(ABSENT, description="mean loss of each window, for paired tests")
    samples: Samples = ABSENT
    provenance: Provenance
    run: Run = ABSENT
