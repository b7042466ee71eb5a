"""Studies: speed and memory, reconstruction by samples, transfer of strategies, the arena of searches."""

from typing import Annotated, Literal

from pydantic import Field

from sparsitysolver.records.contracts.parts import (
    ABSENT,
    Above0,
    AtLeast0,
    Closed,
    Count,
    Granularity,
    Json,
    Losses,
    Model,
    Open,
    Perplexity,
    Positive,
    Protocol,
    Provenance,
    Run,
    Share,
    Size,
    Sparsity,
    Strategy,
    Whole,
)

Seconds = Annotated[list[Above0], Field(min_length=1)]
Modules = Literal["mha", "ffn", "both"]
MaybePpl = Annotated[float | None, Field(description="null where it is not finite")]


class InferenceProtocol(Closed):
    """What was run, and how often."""

    batch: Positive = Field(description="prompts at a time, none padded")
    prompt_tokens: Positive = Field(description="of each prompt")
    new_tokens: Positive = Field(description="decoding steps, whatever token comes")
    prompt_sha256: str
    rounds: Positive
    dtype: str
    devices: Positive = Field(description="over how many the dense model is spread")
    memory: str = Field(description="what peak_memory_bytes counts")


class CacheCheck(Closed):
    """Greedy generation with and without a cache."""

    tokens: Positive
    different: Count = Field(description="ties within rounding")
    distance: AtLeast0 = Field(description="of the logits, in their standard deviations")


class Speed(Closed):
    """A phase: medians over rounds."""

    seconds: Above0
    tokens_per_second: Above0 = Field(description="of all prompts together")


class Speedup(Closed):
    """Dense seconds / seconds of the same round: median over rounds, and its interval."""

    value: Above0
    low: Above0
    high: Above0
    coverage: Share


class Speedups(Closed):
    """Of both phases."""

    prefill: Speedup
    decode: Speedup


class PhaseSeconds(Closed):
    """Of every round."""

    prefill: Seconds
    decode: Seconds


class Rounds(Closed):
    """All that was measured, in order."""

    seconds: PhaseSeconds
    dense_seconds: PhaseSeconds = Field(ABSENT, description="the dense model in the same rounds")


class _Entry(Closed):
    method: str
    label: str
    sparsity: float = Field(description="target; 0 for the dense model")
    seed: Whole = Field(description="seed index")


class Measured(_Entry):
    """A model that was measured."""

    status: Literal["ok"]
    size: Size
    cache_check: CacheCheck
    peak_memory_bytes: Positive
    prefill: Speed
    decode: Speed
    speedup: Speedups
    rounds: Rounds


class NotMade(_Entry):
    """A model that no pruner could make."""

    status: Literal["skipped"]
    reason: str


class Inference(Closed):
    """Speed and memory of a dense model and of models pruned from it, measured interleaved."""

    format: Literal[1]
    model: Model
    protocol: InferenceProtocol
    models: Annotated[
        list[Annotated[Measured | NotMade, Field(discriminator="status")]],
        Field(min_length=1, description="the dense model first"),
    ]
    provenance: Provenance
    run: Run = ABSENT


class ReconstructionPoint(Closed):
    """A number of samples, and the modules reconstructed with them."""

    modules: Modules
    samples: Positive
    tokens: Positive
    ppl: Perplexity


class ReconstructionTime(Closed):
    """Seconds: forward pass of the layer, Gram matrix, solution."""

    modules: Modules
    samples: Positive
    module_seconds: dict[str, Above0]
    seconds_per_module: float = Field(description="median over modules")
    seconds_per_mha: float = ABSENT
    seconds_per_ffn: float = ABSENT


class ReconstructionRun(Open):
    """Times, memory, host, date: differs from run to run."""

    points: list[ReconstructionTime] = Field(description="in the order of points")


class Reconstruction(Closed):
    """Perplexity by the number of reconstruction samples and the modules reconstructed."""

    format: Literal[1]
    model: Model
    sparsity: Sparsity
    seed: Whole = Field(description="seed index, added to the calibration's own seed")
    strategy: Strategy
    criterion: str
    ridge: AtLeast0
    calibration: Json = Field(description="windows of the criterion")
    reconstruction: Json = Field(description="windows of the largest reconstruction; others take the first")
    fingerprint: Protocol
    dense: Perplexity
    sliced: Perplexity = Field(description="without reconstruction: 0 samples")
    points: Annotated[list[ReconstructionPoint], Field(min_length=1)]
    provenance: Provenance
    run: ReconstructionRun


class TransferPerplexity(Perplexity):
    """A perplexity that may not be finite."""

    value: MaybePpl


class Score(Closed):
    """The model under one strategy."""

    strategy: str = Field(description="the model it was found on, or dense, or uniform")
    kind: Literal["dense", "uniform", "own", "transferred"]
    key: str = Field(ABSENT, description="content key of the strategy as it was found")
    algorithm: str = ABSENT
    kept: list[Count]
    achieved_sparsity: Share
    ppl: TransferPerplexity
    windows: Losses


class Transfer(Closed):
    """Perplexity of one model under its own strategy and under those of other models."""

    format: Literal[1]
    model: Model
    granularity: Literal["structured"]
    sparsity: Sparsity
    criterion: str
    calibration: Json = Field(description="windows of the criterion")
    fingerprint: Protocol
    scores: Annotated[list[Score], Field(min_length=3)]
    provenance: Provenance
    run: Run


class ArenaFingerprints(Open):
    """Of the windows that all candidates are scored on."""

    validation: Json
    test: Json


class ArenaDense(Open):
    """The dense model on both."""

    validation_ppl: MaybePpl
    test_ppl: MaybePpl
    test_losses: Losses


class Allocation(Closed):
    """Kept counts without a search, and what they give."""

    algorithm: str
    kept: list[Count]
    achieved_sparsity: float
    validation_ppl: MaybePpl
    test_ppl: MaybePpl
    test_losses: Losses = Field(description="empty where the perplexity is not finite")


class AnytimePoint(Closed):
    """What a search held for best after a share of its tokens."""

    share: float
    tokens: Whole
    validation_ppl: MaybePpl


class ArenaSearch(Allocation):
    """An entrant: what it found, and what that cost."""

    found_by: str
    driver: Json | None = None
    key: str
    evaluations: Positive
    tokens: Positive = Field(description="of the search's own evaluations")
    all_tokens: Positive = Field(description="with set-up and scoring the best again")
    seconds_per_proposal: AtLeast0
    anytime: list[AnytimePoint]


class ParetoPoint(Closed):
    """A strategy of another sparsity, solved from measured effects."""

    sparsity: float
    achieved_sparsity: float
    predicted_change: float
    test_ppl: MaybePpl
    uniform_test_ppl: MaybePpl


class Arena(Closed):
    """All searches of one problem, scored on the same validation and test windows."""

    format: Literal[1]
    model: Model
    granularity: Granularity
    sparsity: Sparsity
    seed: Count
    criterion: str
    calibration: Json
    fingerprints: ArenaFingerprints
    dense: ArenaDense
    lines: list[Allocation]
    searches: Annotated[list[ArenaSearch], Field(min_length=1)]
    provenance: Json
    run: Json
    pareto: list[ParetoPoint]
