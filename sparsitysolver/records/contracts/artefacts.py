"""Strategies, the effects that they can be solved from, cells, and bundles of them all."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from sparsitysolver.records.contracts import parts
from sparsitysolver.records.contracts.parts import ABSENT, Closed, Count, Json, Open, Positive, Record, Whole, part

Unit = part("Unit", name=str, kind=str, size=Positive, kept=Count, ratio=parts.Share)


class Strategy(Record):
    """How much of each prunable unit is kept, and how that was found."""

    granularity: parts.Granularity
    target_sparsity: parts.Sparsity
    achieved_sparsity: parts.Share
    units: Annotated[list[Unit], Field(min_length=1)]
    found: part("Found", Open, algorithm=str)
    seen: parts.SeenList = ABSENT
    seed: Whole | None = None
    run: Json = ABSENT


class MeasuredUnit(Closed):
    """The change of log-perplexity by kept count of one unit."""

    name: str
    kind: str
    layer: Count
    size: Positive
    weights_per_item: Positive
    kept: Count
    counts: Annotated[list[Count], Field(min_length=1)]
    changes: Annotated[list[float], Field(min_length=1)]


class Effects(Record):
    """Change of log-perplexity by kept count of every prunable unit, as a surrogate search measured it."""

    granularity: parts.Granularity
    sparsity: float
    criterion: str
    measured_on: Json = Field(description="text or task, and the reward, that the changes are of")
    units: Annotated[list[MeasuredUnit], Field(min_length=1)]
    seen: parts.SeenList = ABSENT


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
    bos: Literal["tokenizer", "none", "every"]


def _protocol(fingerprint: Any) -> str:
    return "of a task" if isinstance(fingerprint, dict) and "kind" in fingerprint else "of a text"


Fingerprint = Annotated[
    Annotated[TextFingerprint, Tag("of a text")] | Annotated[TaskFingerprint, Tag("of a task")],
    Discriminator(_protocol),
]


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
    fingerprint: Fingerprint = ABSENT
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


Member = part("Member", Open, sha256=Annotated[str, Field(pattern="^[0-9a-f]{64}$")], bytes=Count)


class RunOf(Open):
    """Commits and devices that cells were measured at and on, library versions."""

    __pydantic_extra__: dict[str, list[str]]

    commits: list[str]
    versions: list[str]
    devices: list[str]


class Bundle(Open):
    """What a bundle holds, and what run it is of."""

    format: Literal[1]
    made_by: str = Field(description="version that exported it")
    commit: str = Field(description="commit of the checkout that exported it")
    grid: str = Field(description="empty where no table names it")
    redraw: str = Field(ABSENT, description="the command that draws tables and figures from it")
    run: RunOf
    files: Annotated[dict[str, Member], Field(min_length=1)]
