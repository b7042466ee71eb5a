"""What a cell keeps of a measurement, by kind: values, protocol fingerprint, size, and what pruning had seen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sparsitysolver.config.registry import ZERO_SHOT
from sparsitysolver.data.items import Items
from sparsitysolver.data.windows import Windows
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.leakage import perplexity_leakage, zero_shot_leakage
from sparsitysolver.evaluation.perplexity import perplexity, perplexity_stderr
from sparsitysolver.evaluation.size import measure_size
from sparsitysolver.models.loading import LoadedModel
from sparsitysolver.records.files import Json
from sparsitysolver.records.seen import Seen, seen_by

if TYPE_CHECKING:  # lm-eval takes seconds to import, and perplexity does without it
    from sparsitysolver.evaluation.zero_shot import ZeroShotResult

JOIN = "rows joined by a blank line"


def perplexity_fields(loaded: LoadedModel, windows: Windows, losses: np.ndarray, pruning: Json) -> Json:
    """Fields of a cell of perplexity.

    Args:
        loaded: the evaluated model.
        windows: what it was evaluated on.
        losses: mean loss of each window in nats per token, (windows,).
        pruning: the pruning record of the model, empty for a dense one.

    Raises:
        SparsitySolverError: the perplexity is not finite.
    """
    return {
        "metrics": {"ppl": finite_perplexity(loaded, windows, losses)},
        "fingerprint": perplexity_fingerprint(loaded, windows),
        "leakage": perplexity_leakage(windows.text, _seen(loaded, pruning)),
        "windows": [round(float(loss), 8) for loss in losses],
    } | _pruned_fields(loaded, pruning)


def finite_perplexity(loaded: LoadedModel, windows: Windows, losses: np.ndarray) -> Json:
    """The metric of a cell of perplexity; see :func:`perplexity_fields`."""
    ppl = perplexity(losses)
    if not math.isfinite(ppl):
        raise SparsitySolverError(
            f"the perplexity of {loaded.source.name} on {windows.text.source} is {ppl}: "
            f"{int((~np.isfinite(losses)).sum())} of {len(losses)} windows have no finite loss. Try another dtype."
        )
    return {"value": ppl, "stderr": perplexity_stderr(losses), "n": len(losses)}


def zero_shot_fields(
    loaded: LoadedModel, items: Items, result: ZeroShotResult, batch_size: int, seqlen: int, pruning: Json
) -> Json:
    """Fields of a cell of zero-shot accuracy.

    Args:
        loaded: the evaluated model.
        items: the items it answered.
        result: how it answered them.
        batch_size: requests per forward pass.
        seqlen: longest request in tokens.
        pruning: the pruning record of the model, empty for a dense one.

    Raises:
        SparsitySolverError: a log-likelihood is not finite, so that nothing can be said of the answer.
    """
    bad = sum(not all(map(math.isfinite, scores)) for scores in result.loglikelihoods)
    if bad:
        raise SparsitySolverError(
            f"{loaded.source.name} answers {items.task} without finite log-likelihoods: {bad} of {len(items.records)} "
            "items. Try another dtype."
        )
    metrics = {name: {"value": one.value, "stderr": one.stderr, "n": one.n} for name, one in result.metrics.items()}
    scores = [[round(score, 8) for score in of_item] for of_item in result.loglikelihoods]
    return {
        "metrics": metrics,
        "fingerprint": {
            "kind": ZERO_SHOT,
            "dataset": items.source,
            "revision": items.revision,
            "items_sha256": items.sha256,
            "items": len(items.records),
            "split": items.part,
            "task_version": result.task_version,
            "harness": result.harness,
            "fewshot": 0,
            "batch_size": batch_size,
            "bos": result.bos,
            "eos": result.eos,
            "ids_sha256": result.ids_sha256,
            "seqlen": seqlen,
            "dtype": loaded.dtype,
        },
        "leakage": zero_shot_leakage(items, _seen(loaded, pruning)),
        "samples": {**result.correct, "loglikelihoods": scores},
    } | _pruned_fields(loaded, pruning)


def _pruned_fields(loaded: LoadedModel, pruning: Json) -> Json:
    """What a cell says of the model itself, whatever it is evaluated on."""
    strategy = pruning.get("strategy")
    extra = {"extra_parameters": pruning.get("facts", {}).get("extra_parameters", 0)}
    return {
        "size": measure_size(loaded.adapter).record() | extra,
        "calibration": pruning.get("calibration"),
        "reconstruction": pruning.get("reconstruction"),
        "strategy": strategy,
        "search": _search(strategy) if strategy else None,
        "facts": pruning.get("facts", {}),
        "seen": _seen(loaded, pruning),
    }


def _seen(loaded: LoadedModel, pruning: Json) -> Seen:
    """What pruning had seen; nothing of a dense model, and who knows what of a pruned one without a record."""
    return seen_by(pruning) if pruning or loaded.structure is not None else []


def _search(strategy: Json) -> Json | None:
    found = strategy["found"]
    if "evaluations" not in found:
        return None
    return {key: found.get(key) for key in ("algorithm", "evaluations", "tokens", "episodes", "reward_split")}


def perplexity_fingerprint(loaded: LoadedModel, windows: Windows) -> Json:
    """The protocol behind a number; equal for all cells of a column."""
    text = windows.text
    return {
        "dataset": text.source,
        "revision": text.revision,
        "text_sha256": text.sha256,
        "split": text.split,
        "join": JOIN,
        "bos": "none" if windows.bos == "none" else "tokenizer",
        "eos": windows.eos,
        "ids_sha256": windows.sha256,
        "seqlen": windows.seqlen,
        "tokens": windows.total_tokens,
        "windows": len(windows.ids),
        "dtype": loaded.dtype,
    }
