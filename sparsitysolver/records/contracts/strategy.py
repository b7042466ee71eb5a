"""Strategies, and the measured effects that they can be solved from."""

from typing import Annotated, Literal

from pydantic import Field

from sparsitysolver.records.contracts.parts import (
    ABSENT,
    Closed,
    Count,
    Granularity,
    Json,
    Model,
    Open,
    Positive,
    SeenList,
    Share,
    Sparsity,
    Whole,
)


class Unit(Closed):
    """How much is kept of one prunable unit."""

    name: str
    kind: str
    size: Positive
    kept: Count
    ratio: Share


class Found(Open):
    """How a strategy came about."""

    algorithm: str


class Strategy(Closed):
    """How much of each prunable unit is kept, and how that was found."""

    format: Literal[1]
    model: Model
    granularity: Granularity
    target_sparsity: Sparsity
    achieved_sparsity: Share
    units: Annotated[list[Unit], Field(min_length=1)]
    found: Found
    seen: SeenList = ABSENT
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


class Effects(Closed):
    """Change of log-perplexity by kept count of every prunable unit, as a surrogate search measured it."""

    format: Literal[1]
    model: Model
    granularity: Granularity
    sparsity: float
    criterion: str
    measured_on: Json = Field(description="text or task, and the reward, that the changes are of")
    units: Annotated[list[MeasuredUnit], Field(min_length=1)]
    seen: SeenList = ABSENT
