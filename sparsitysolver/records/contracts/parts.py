"""What contracts are made of: closed and open objects, numbers, and the parts that several records share."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, create_model

from sparsitysolver.config.contract import Contract

ABSENT: Any = None  # the default of a field that a record may lack, and that may not be null where it is there
Json = dict[str, Any]


class Closed(Contract):
    """An object with these fields alone; types are as JSON has them, nothing is converted."""

    model_config = ConfigDict(strict=True, coerce_numbers_to_str=False, defer_build=True)


class Open(Closed):
    """An object that may hold more than these fields."""

    model_config = ConfigDict(extra="allow")


def part(name: str, base: type[Closed] = Closed, /, **fields: Any) -> type[Closed]:
    """A small object of required fields, on a line."""
    return create_model(name, __base__=base, **fields)


def _whole(value: Any) -> Any:
    """JSON knows one kind of number: 3.0 is a whole one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
Count = Annotated[int, Field(ge=0), BeforeValidator(_whole)]
Positive = Annotated[int, Field(ge=1), BeforeValidator(_whole)]
Share = Annotated[float, Field(ge=0, le=1)]
Sparsity = Annotated[float, Field(gt=0, lt=1, description="target, of something that is pruned")]
Granularity = Literal["structured", "unstructured"]
Losses = Annotated[list[float], Field(description="mean loss of each window, nats per token")]
Strategy = Annotated[Json, Field(description="the strategy record without its run")]
Windows = Annotated[Json, Field(description="calibration windows: source, sampler, nsamples, seqlen, tokens, sha256")]
Run = Annotated[Json, Field(description="times, memory, host, date: differs from run to run")]
SeedIndex = Annotated[Whole, Field(description="seed index")]


class Model(Open):
    """The dense model, by its weights."""

    name: str
    family: str
    weights_sha256: str
    revision: str | None = None


Seen = part("Seen", Open, role=str, source=str | None, part=str | None, sha256=str | None)
SeenList = Annotated[list[Seen], Field(description="texts and items that its making has seen; without it nobody knows")]
Provenance = part("Provenance", Open, versions=Json, commit=str, device=str, threads=Whole, seeds=Json)
Size = part("Size", Open, parameters=float, nonzeros=float, bytes=float, achieved_sparsity=float)
Perplexity = part("Perplexity", value=float, stderr=float | None, n=Positive)
Protocol = part("Protocol", Open, dataset=str, split=str, seqlen=Whole, windows=Whole, dtype=str)


class Record(Closed):
    """What every file about a model begins with."""

    format: Literal[1]
    model: Model
