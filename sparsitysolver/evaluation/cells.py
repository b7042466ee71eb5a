"""What a cell keeps of a measurement: values, protocol fingerprint, size, what pruning had seen, leakage.

Leakage is closed or open division: was the evaluated domain, text or task seen in the making of a model? Flags are
true, false, or None where something was seen of which nobody noted what it was.
"""

import math
from collections.abc import Iterable

import numpy as np

from sparsitysolver.config.bos import EVERY, NONE
from sparsitysolver.data.sources import Text
from sparsitysolver.data.windows import Windows
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.perplexity import perplexity, perplexity_stderr
from sparsitysolver.evaluation.size import measure_size
from sparsitysolver.models.loading import LoadedModel
from sparsitysolver.records.files import Json
from sparsitysolver.records.seen import ANY, REWARD, Seen, seen_by

JOIN = "rows joined by a blank line"
Flags = dict[str, bool | None]


def perplexity_fields(loaded: LoadedModel, windows: Windows, losses: np.ndarray, pruning: Json) -> Json:
    """Fields of a cell of perplexity, from mean losses (windows,) in nats per token.

    ``pruning`` is the pruning record of the model, empty for a dense one. A perplexity that is not finite is an error.
    """
    return {
        "metrics": {"ppl": finite_perplexity(loaded, windows, losses)},
        "fingerprint": perplexity_fingerprint(loaded, windows),
        "leakage": perplexity_leakage(windows.text, seen_of(loaded, pruning)),
        "windows": [round(float(loss), 8) for loss in losses],
    } | model_fields(loaded, pruning)


def finite_perplexity(loaded: LoadedModel, windows: Windows, losses: np.ndarray) -> Json:
    """The metric of a cell of perplexity; see :func:`perplexity_fields`."""
    ppl = perplexity(losses)
    if not math.isfinite(ppl):
        raise SparsitySolverError(
            f"the perplexity of {loaded.source.name} on {windows.text.source} is {ppl}: "
            f"{int((~np.isfinite(losses)).sum())} of {len(losses)} windows have no finite loss. Try another dtype."
        )
    return {"value": ppl, "stderr": perplexity_stderr(losses), "n": len(losses)}


def perplexity_fingerprint(loaded: LoadedModel, windows: Windows) -> Json:
    """The protocol behind a number; equal for all cells of a column."""
    text = windows.text
    return {
        "dataset": text.source,
        "revision": text.revision,
        "text_sha256": text.sha256,
        "split": text.split,
        "join": JOIN,
        "bos": windows.bos if windows.bos in (NONE, EVERY) else "tokenizer",
        "eos": windows.eos,
        "ids_sha256": windows.sha256,
        "seqlen": windows.seqlen,
        "tokens": windows.total_tokens,
        "windows": len(windows.ids),
        "dtype": loaded.dtype,
    }


def perplexity_leakage(text: Text, seen: Seen) -> Flags:
    """Flags of a perplexity: calibrated on the data set, or searched on the very text, compared by hash."""
    return {
        "calibrated_on_eval_domain": any_seen(
            (one, text.source == one["source"] or text.sha256 == one["sha256"]) for one in seen if one["role"] != REWARD
        ),
        "searched_on_reported_split": any_seen(
            (one, text.sha256 == one["sha256"]) for one in seen if one["role"] in (REWARD, ANY)
        ),
        "saw_task": False,
    }


def any_seen(answers: Iterable[tuple[Json, bool]]) -> bool | None:
    """Whether a flag is true of one entry; None where of none, and an entry does not say what it was."""
    found = [None if entry["source"] is None else answer for entry, answer in answers]
    return True if True in found else None if None in found else False


def model_fields(loaded: LoadedModel, pruning: Json) -> Json:
    """What a cell says of the model itself, whatever it is evaluated on."""
    strategy, facts = pruning.get("strategy"), pruning.get("facts", {})
    found = strategy["found"] if strategy else {}
    kept = ("algorithm", "evaluations", "tokens", "episodes", "reward_split")
    return {
        "size": measure_size(loaded.adapter).record() | {"extra_parameters": facts.get("extra_parameters", 0)},
        **{name: pruning.get(name) for name in ("calibration", "reconstruction", "strategy")},
        "search": {key: found.get(key) for key in kept} if "evaluations" in found else None,
        "facts": facts,
        "seen": seen_of(loaded, pruning),
    }


def seen_of(loaded: LoadedModel, pruning: Json) -> Seen:
    """What pruning had seen; nothing of a dense model, and who knows what of a pruned one without a record."""
    return seen_by(pruning) if pruning or loaded.structure is not None else []
