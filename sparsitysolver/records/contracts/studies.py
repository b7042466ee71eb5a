"""Studies: speed and memory, reconstruction by samples, transfer of strategies, the arena of searches."""

from typing import Annotated, Literal

from pydantic import Field

from sparsitysolver.records.contracts import parts
from sparsitysolver.records.contracts.parts import ABSENT, Closed, Count, Json, Positive, Record, Share, part

Above0 = Annotated[float, Field(gt=0)]
AtLeast0 = Annotated[float, Field(ge=0)]
MaybePpl = Annotated[float | None, Field(description="null where it is not finite")]
Modules = Literal["mha", "ffn", "both"]


class Timing(Closed):
    """What was run, and how often."""

    batch: Positive = Field(description="prompts at a time, none padded")
    prompt_tokens: Positive = Field(description="of each prompt")
    new_tokens: Positive = Field(description="decoding steps, whatever token comes")
    prompt_sha256: str
    rounds: Positive
    dtype: str
    devices: Positive = Field(description="over how many the dense model is spread")
    memory: str = Field(description="what peak_memory_bytes counts")


Speed = part("Speed", seconds=Above0, tokens_per_second=Above0)  # medians over rounds; tokens of all prompts together
Speedup = part("Speedup", value=Above0, low=Above0, high=Above0, coverage=Share)  # median of dense seconds / seconds
Seconds = Annotated[list[Above0], Field(min_length=1)]  # of every round
PhaseSeconds = part("PhaseSeconds", prefill=Seconds, decode=Seconds)


class Rounds(Closed):
    """All that was measured, in order."""

    seconds: PhaseSeconds
    dense_seconds: PhaseSeconds = Field(ABSENT, description="the dense model in the same rounds")


class _Entry(Closed):
    method: str
    label: str
    sparsity: float = Field(description="target; 0 for the dense model")
    seed: parts.SeedIndex


class Timed(_Entry):
    """A model that was measured."""

    status: Literal["ok"]
    size: parts.Size
    # Greedy generation with and without a cache: ties within rounding, and logits apart in their standard deviations.
    cache_check: part("CacheCheck", tokens=Positive, different=Count, distance=AtLeast0)
    peak_memory_bytes: Positive
    prefill: Speed
    decode: Speed
    speedup: part("Speedups", prefill=Speedup, decode=Speedup)
    rounds: Rounds


class NotMade(_Entry):
    """A model that no pruner could make."""

    status: Literal["skipped"]
    reason: str


class Inference(Record):
    """Speed and memory of a dense model and of models pruned from it, measured interleaved."""

    protocol: Timing
    models: Annotated[
        list[Annotated[Timed | NotMade, Field(discriminator="status")]],
        Field(min_length=1, description="the dense model first"),
    ]
    provenance: parts.Provenance
    run: parts.Run = ABSENT


class ReconstructionTime(Closed):
    """Seconds: forward pass of the layer, Gram matrix, solution."""

    modules: Modules
    samples: Positive
    module_seconds: dict[str, Above0]
    seconds_per_module: float = Field(description="median over modules")
    seconds_per_mha: float = ABSENT
    seconds_per_ffn: float = ABSENT


class Reconstruction(Record):
    """Perplexity by the number of reconstruction samples and the modules reconstructed."""

    sparsity: parts.Sparsity
    seed: parts.SeedIndex
    strategy: parts.Strategy
    criterion: str
    ridge: AtLeast0
    calibration: parts.Windows
    reconstruction: parts.Windows = Field(description="windows of the largest; others take the first of them")
    fingerprint: parts.Protocol
    dense: parts.Perplexity
    sliced: parts.Perplexity = Field(description="without reconstruction: 0 samples")
    points: Annotated[
        list[part("ReconstructionPoint", modules=Modules, samples=Positive, tokens=Positive, ppl=parts.Perplexity)],
        Field(min_length=1),
    ]
    provenance: parts.Provenance
    run: part("ReconstructionRun", parts.Open, points=list[ReconstructionTime])  # in the order of points


class Score(Closed):
    """The model under one strategy."""

    strategy: str = Field(description="the model it was found on, or dense, or uniform")
    kind: Literal["dense", "uniform", "own", "transferred"]
    key: str = Field(ABSENT, description="content key of the strategy as it was found")
    algorithm: str = ABSENT
    kept: list[Count]
    achieved_sparsity: Share
    ppl: part("MaybePerplexity", parts.Perplexity, value=MaybePpl)
    windows: parts.Losses


class Transfer(Record):
    """Perplexity of one model under its own strategy and under those of other models."""

    granularity: Literal["structured"]
    sparsity: parts.Sparsity
    criterion: str
    calibration: parts.Windows
    fingerprint: parts.Protocol
    scores: Annotated[list[Score], Field(min_length=3)]
    provenance: parts.Provenance
    run: parts.Run


class Allocation(Closed):
    """Kept counts without a search, and what they give; no losses where the perplexity is not finite."""

    algorithm: str
    kept: list[Count]
    achieved_sparsity: float
    validation_ppl: MaybePpl
    test_ppl: MaybePpl
    test_losses: parts.Losses


class ArenaSearch(Allocation):
    """An entrant: what it found, and what that cost."""

    found_by: str
    driver: Json | None = None
    key: str
    evaluations: Positive
    tokens: Positive = Field(description="of the search's own evaluations")
    all_tokens: Positive = Field(description="with set-up and scoring the best again")
    seconds_per_proposal: AtLeast0
    anytime: list[part("AnytimePoint", share=float, tokens=parts.Whole, validation_ppl=MaybePpl)]


class ParetoPoint(Closed):
    """A strategy of another sparsity, solved from measured effects."""

    sparsity: float
    achieved_sparsity: float
    predicted_change: float
    test_ppl: MaybePpl
    uniform_test_ppl: MaybePpl


class Arena(Record):
    """All searches of one problem, scored on the same validation and test windows."""

    granularity: parts.Granularity
    sparsity: parts.Sparsity
    seed: Count
    criterion: str
    calibration: Json
    fingerprints: part("ArenaFingerprints", parts.Open, validation=Json, test=Json)
    dense: part("ArenaDense", parts.Open, validation_ppl=MaybePpl, test_ppl=MaybePpl, test_losses=parts.Losses)
    lines: list[Allocation]
    searches: Annotated[list[ArenaSearch], Field(min_length=1)]
    provenance: Json
    run: Json
    pareto: list[ParetoPoint]
