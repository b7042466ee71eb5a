"""Strategies, and the measured effects that they can be solved from."""

from typing import Annotated, Literal

from pydantic import Field

from sparsitysolver.records.contracts import parts
from sparsitysolver.records.contracts.parts import ABSENT, Closed, Count, Json, Open, Positive, Share, Whole, part

Unit = part("Unit", name=str, kind=str, size=Positive, kept=Count, ratio=Share)


class Strategy(Closed):
    """How much of each prunable unit is kept, and how that was found."""

    format: Literal[1]
    model: parts.Model
    granularity: parts.Granularity
    target_sparsity: parts.Sparsity
    achieved_sparsity: Share
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


class Effects(Closed):
    """Change of log-perplexity by kept count of every prunable unit, as a surrogate search measured it."""

    format: Literal[1]
    model: parts.Model
    granularity: parts.Granularity
    sparsity: float
    criterion: str
    measured_on: Json = Field(description="text or task, and the reward, that the changes are of")
    units: Annotated[list[MeasuredUnit], Field(min_length=1)]
    seen: parts.SeenList = ABSENT
