"""Columns of the long tables: their names, in the order of the file, and what they hold. Each is said here once."""

from dataclasses import dataclass
from functools import cached_property

TEXT, NUMBER, MAYBE = "text", "number", "number or empty"


@dataclass(frozen=True)
class LongTable:
    """A long table."""

    what: str  # its rows are, in messages
    names: str  # of the columns, in order; ``#`` marks finite numbers, ``?`` finite numbers that may be empty
    row: tuple[str, ...] = ()  # columns that name a row in messages; those of a search by default
    later: tuple[str, ...] = ()  # columns that older files lack; they are read as empty

    @cached_property
    def columns(self) -> dict[str, str]:
        """What each column holds, by name, in order."""
        return {name.rstrip("#?"): {"#": NUMBER, "?": MAYBE}.get(name[-1], TEXT) for name in self.names.split()}

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """Columns of numbers, those that may be empty included."""
        return tuple(name for name, kind in self.columns.items() if kind != TEXT)


AXES = ("model", "family", "method", "label", "sparsity", "seed", "task", "split", "status", "reason")
SIZE = ("achieved_sparsity", "parameters", "nonzeros", "bytes", "extra_parameters")
LEAKAGE = ("calibrated_on_eval_domain", "searched_on_reported_split", "saw_task")
# The protocol behind a number: columns of texts, and of zero-shot tasks, each empty for the other.
PROTOCOL = ("dataset", "revision", "text_sha256", "join", "bos", "seqlen", "windows", "tokens", "dtype")
PROTOCOL += ("items_sha256", "items", "task_version", "harness", "batch_size")
RUN = ("wall_seconds", "peak_memory_bytes")
MEASURED = ("value", "n", *SIZE)  # numbers of every cell that was not skipped
_SEARCH = ("model", "family", "method", "sparsity", "seed", "task")

CELLS = LongTable(
    "collected cells",
    """
    model family method label sparsity# seed# task split status reason metric value? stderr? n? achieved_sparsity?
    parameters? nonzeros? bytes? extra_parameters? calibration_source calibration_tokens reconstruction_source
    reward_source reward_split search_algorithm search_evaluations search_tokens calibrated_on_eval_domain
    searched_on_reported_split saw_task dataset revision text_sha256 join bos seqlen? windows? tokens? dtype
    items_sha256 items? task_version harness batch_size? fingerprint weights_sha256 commit versions device processor
    threads wall_seconds? peak_memory_bytes? cell
    """,
)
EPISODE = ("episode", "ppl", "reward", "kept", "tokens", "seconds")  # what a search itself writes of one
CURVES = LongTable(
    "search curves",
    # Searches rewarded on a task measure no perplexity, and one that is not finite is left empty. The seconds of a
    # search count once for each of its GPUs (0 on a CPU), which older ones do not name.
    """
    key model family method label algorithm granularity sparsity# seed# task warm_start episode# ppl? reward# kept
    tokens# seconds# dense_ppl? uniform_ppl? uniform_reward? gpus?
    """,
    row=(*_SEARCH, "episode"),
    later=("gpus",),
)
STRATEGIES = LongTable(
    "strategies",
    """
    model family method label granularity algorithm sparsity# seed# task achieved_sparsity# unit# name kind layer#
    size# kept# ratio# key
    """,
    row=(*_SEARCH, "name"),
)
INFERENCE = LongTable(
    "measured times",
    """
    model method label sparsity# seed# batch# prompt_tokens# new_tokens# rounds# threads# device dtype parameters?
    weight_bytes? prefill_seconds# prefill_tokens_per_second# decode_seconds# decode_tokens_per_second#
    peak_memory_bytes? prefill_speedup# prefill_speedup_low? prefill_speedup_high? decode_speedup#
    decode_speedup_low? decode_speedup_high?
    """,
    row=("model", "method", "sparsity", "seed", "batch", "prompt_tokens", "new_tokens"),
)
RECONSTRUCTION = LongTable(
    "rows of the reconstruction study",
    "model sparsity# modules samples# tokens# ppl# seconds_per_module# seed# gpus?",
    row=("model", "sparsity", "modules", "samples", "seed"),
    later=("gpus",),
)
ARENA = LongTable(
    "searches of the arena",
    """
    algorithm seed? model granularity sparsity# evaluations? tokens? validation_ppl? test_ppl? seconds_per_proposal?
    label status all_tokens? units? achieved_sparsity? dense_test_ppl? driver key
    """,
)
ANYTIME = LongTable(
    "anytime curves",
    "algorithm label seed# model granularity sparsity# share# tokens# validation_ppl? uniform_ppl? dense_ppl?",
)
RANKS = LongTable(
    "ranks of the arena",
    # Empty where a search did not run, or has nothing to be compared with.
    """
    algorithm label status model granularity sparsity# seeds? evaluations? tokens? validation_ppl? test_ppl?
    test_spread? achieved_sparsity? rank? not_ranked difference? low? high? p? p_holm? not_compared
    seconds_per_proposal?
    """,
)
PARETO = LongTable(
    "strategies from measured effects",
    # Perplexities are empty where they are not finite.
    """
    model granularity seed# measured_at# sparsity# achieved_sparsity# test_ppl? uniform_test_ppl? predicted_change#
    dense_test_ppl#
    """,
)
TRANSFER = LongTable(
    "strategies of other models",
    """
    model strategy kind sparsity# achieved_sparsity# ppl? stderr? ratio_to_own? ratio_low? ratio_high? not_compared
    windows# split key
    """,
)
SELF_PRUNER = LongTable(
    "rows of the comparison with Self-Pruner",
    """
    method label model sparsity# achieved_sparsity? parameters? comparison status driver tasks? accuracy?
    dense_accuracy? drop_points? low? high? drop_percent? speedup? speedup_low? speedup_high? published_model
    published_left published_drop? published_speedup? verdict
    """,
)
