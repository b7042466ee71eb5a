"""Columns of the long tables: their names, in the order of the file, and what they hold.

Each is said here once; what writes a table, reads it, checks it or makes one up for a test takes it from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

TEXT, NUMBER, MAYBE = "text", "number", "number or empty"


@dataclass(frozen=True)
class LongTable:
    """A long table.

    Attributes:
        what: what its rows are, in messages.
        columns: what each holds, by name, in order: any text, a finite number, or a finite number where there is one.
        row: columns that name a row in messages; those of a search by default.
        later: columns that older files lack; they are read as empty.
    """

    what: str
    columns: Mapping[str, str]
    row: tuple[str, ...] = ()
    later: tuple[str, ...] = ()

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """Columns of numbers, those that may be empty included."""
        return tuple(name for name, kind in self.columns.items() if kind != TEXT)


def _text(names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), TEXT)


def _number(names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), NUMBER)


def _maybe(names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), MAYBE)


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
    _text("model family method label")
    | _number("sparsity seed")
    | _text("task split status reason metric")
    | _maybe("value stderr n achieved_sparsity parameters nonzeros bytes extra_parameters")
    | _text("calibration_source calibration_tokens reconstruction_source reward_source reward_split")
    | _text("search_algorithm search_evaluations search_tokens")
    | _text(" ".join(LEAKAGE))
    | _text("dataset revision text_sha256 join bos")
    | _maybe("seqlen windows tokens")
    | _text("dtype items_sha256")
    | _maybe("items")
    | _text("task_version harness")
    | _maybe("batch_size")
    | _text("fingerprint weights_sha256 commit versions device processor threads")
    | _maybe(" ".join(RUN))
    | _text("cell"),
)
EPISODE = ("episode", "ppl", "reward", "kept", "tokens", "seconds")  # what a search itself writes of one
CURVES = LongTable(
    "search curves",
    _text("key model family method label algorithm granularity")
    | _number("sparsity seed")
    | _text("task warm_start")
    | _number("episode")
    # Searches rewarded on a task measure no perplexity, and one that is not finite is left empty.
    | _maybe("ppl")
    | _number("reward")
    | _text("kept")
    | _number("tokens seconds")
    # How many GPUs a search had: its seconds count so many times; 0 on a CPU. Older searches do not say.
    | _maybe("dense_ppl uniform_ppl uniform_reward gpus"),
    row=(*_SEARCH, "episode"),
    later=("gpus",),
)
STRATEGIES = LongTable(
    "strategies",
    _text("model family method label granularity algorithm")
    | _number("sparsity seed")
    | _text("task")
    | _number("achieved_sparsity unit")
    | _text("name kind")
    | _number("layer size kept ratio")
    | _text("key"),
    row=(*_SEARCH, "name"),
)
INFERENCE = LongTable(
    "measured times",
    _text("model method label")
    | _number("sparsity seed batch prompt_tokens new_tokens rounds threads")
    | _text("device dtype")
    | _maybe("parameters weight_bytes")
    | _number("prefill_seconds prefill_tokens_per_second decode_seconds decode_tokens_per_second")
    | _maybe("peak_memory_bytes")
    | _number("prefill_speedup")
    | _maybe("prefill_speedup_low prefill_speedup_high")
    | _number("decode_speedup")
    | _maybe("decode_speedup_low decode_speedup_high"),
    row=("model", "method", "sparsity", "seed", "batch", "prompt_tokens", "new_tokens"),
)
RECONSTRUCTION = LongTable(
    "rows of the reconstruction study",
    _text("model")
    | _number("sparsity")
    | _text("modules")
    | _number("samples tokens ppl seconds_per_module seed")
    | _maybe("gpus"),
    row=("model", "sparsity", "modules", "samples", "seed"),
    later=("gpus",),
)
ARENA = LongTable(
    "searches of the arena",
    _text("algorithm")
    | _maybe("seed")
    | _text("model granularity")
    | _number("sparsity")
    | _maybe("evaluations tokens validation_ppl test_ppl seconds_per_proposal")
    | _text("label status")
    | _maybe("all_tokens units achieved_sparsity dense_test_ppl")
    | _text("driver key"),
)
ANYTIME = LongTable(
    "anytime curves",
    _text("algorithm label")
    | _number("seed")
    | _text("model granularity")
    | _number("sparsity share tokens")
    | _maybe("validation_ppl uniform_ppl dense_ppl"),
)
RANKS = LongTable(
    "ranks of the arena",
    _text("algorithm label status model granularity")
    | _number("sparsity")
    # Empty where a search did not run, or has nothing to be compared with.
    | _maybe("seeds evaluations tokens validation_ppl test_ppl test_spread achieved_sparsity rank")
    | _text("not_ranked")
    | _maybe("difference low high p p_holm")
    | _text("not_compared")
    | _maybe("seconds_per_proposal"),
)
PARETO = LongTable(
    "strategies from measured effects",
    _text("model granularity")
    | _number("seed measured_at sparsity achieved_sparsity")
    | _maybe("test_ppl uniform_test_ppl")  # empty where not finite
    | _number("predicted_change dense_test_ppl"),
)
TRANSFER = LongTable(
    "strategies of other models",
    _text("model strategy kind")
    | _number("sparsity achieved_sparsity")
    | _maybe("ppl stderr ratio_to_own ratio_low ratio_high")
    | _text("not_compared")
    | _number("windows")
    | _text("split key"),
)
SELF_PRUNER = LongTable(
    "rows of the comparison with Self-Pruner",
    _text("method label model")
    | _number("sparsity")
    | _maybe("achieved_sparsity parameters")
    | _text("comparison status driver")
    | _maybe("tasks accuracy dense_accuracy drop_points low high drop_percent speedup speedup_low speedup_high")
    | _text("published_model published_left")
    | _maybe("published_drop published_speedup")
    | _text("verdict"),
)
