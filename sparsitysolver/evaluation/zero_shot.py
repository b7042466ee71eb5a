"""Zero-shot accuracy by lm-eval (stock prompts and metrics) of a model that is already loaded, dense or pruned."""

import copy
import math
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import lm_eval
import numpy as np
from lm_eval.models.huggingface import HFLM

from sparsitysolver.config.bos import EVERY, FIRST, NONE
from sparsitysolver.config.registry import ZERO_SHOT, ZERO_SHOT_BATCH
from sparsitysolver.data.harness import harness_task, quiet
from sparsitysolver.data.items import ALL, REPORT, Items
from sparsitysolver.data.windows import added_tokens, bos_token, check_ids, ids_sha256
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.cells import Flags, any_seen, model_fields, seen_of
from sparsitysolver.models.loading import LoadedModel
from sparsitysolver.records.files import Json
from sparsitysolver.records.seen import REWARD, Seen

HARNESS = f"lm_eval {metadata.version('lm_eval')}"
ACCURACIES = ("acc", "acc_norm")
# Token ids of a request: context and continuation.
Encoded = tuple[list[int], list[int]]


@dataclass(frozen=True)
class ZeroShotResult:
    """What lm-eval found.

    ``metrics`` has ``acc``, and ``acc_norm`` where the task has it, each with value, stderr (None for a single item)
    and n. ``correct`` has one 0 or 1 an item for each metric, ``loglikelihoods`` one list an item with a value (nats) a
    choice; both in the order of the items' records. ``protocol`` is what decides the numbers besides model and items:
    ``bos`` is ``tokenizer`` where requests begin with the tokenizer's own token, ``every`` where one is put there, else
    ``none``; ``eos`` is ``left out`` where it appends one; ``ids_sha256`` is of the token ids of all requests,
    ``seqlen`` the longest request.
    """

    metrics: dict[str, Json]
    correct: dict[str, list[int]]
    loglikelihoods: list[list[float]]
    protocol: Json


class HarnessModel(HFLM):
    """lm-eval's own model class around a loaded model; overlong answers are an error of the user's.

    What the tokenizer appends to every text (an EOS) is left out: between a context and its answer it would be read in
    place of the answer's first token, and scored after the last one.
    """

    def __init__(self, loaded: LoadedModel, max_length: int, batch_size: int = ZERO_SHOT_BATCH) -> None:
        with quiet():
            super().__init__(
                pretrained=loaded.model,
                backend="causal",
                # HFLM chooses a padding token, where there is none, in the tokenizer that it is given
                tokenizer=copy.deepcopy(loaded.tokenizer),
                batch_size=batch_size,
                max_length=max_length,
            )
        self._name, self._vocabulary, self._rule = loaded.source.name, loaded.vocabulary, loaded.bos
        self._lead = [bos_token(loaded.tokenizer)] if loaded.bos == EVERY else []
        self._added = added_tokens(self.tokenizer)
        self.ids_sha256 = ""

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, left_truncate_len: int | None = None, **options: Any
    ) -> list[int]:
        """As lm-eval's, with the BOS of the model's rule and without what the tokenizer appends."""
        if add_special_tokens is None and self._rule != FIRST:
            ids = super().tok_encode(string, False, **options)
            ids = ids if ids[:1] == self._lead else self._lead + ids  # a text may begin with the token's own
        else:
            ids = super().tok_encode(string, add_special_tokens, **options)
            ids = ids if add_special_tokens is False else self._added.without_end(ids)
        return ids[-left_truncate_len:] if left_truncate_len else ids

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """As lm-eval's; progress is shown to people only."""
        return super().loglikelihood(requests, disable_tqdm=disable_tqdm or not sys.stderr.isatty())

    def _loglikelihood_tokens(self, requests: list[Any], **options: Any) -> list[tuple[float, bool]]:
        encoded = self._checked(requests)
        lengths = [len(part) for request in encoded for part in request]
        self.ids_sha256 = ids_sha256(np.concatenate([np.array(lengths), _joined(encoded)]))
        fitting = [(request[0], *pair) for request, pair in zip(requests, encoded, strict=True)]
        return super()._loglikelihood_tokens(fitting, **options)

    def _checked(self, requests: list[Any]) -> list[Encoded]:
        """Contexts that are too long lose their beginning; an answer must fit whole, and every token have a place."""
        encoded = [self._fitting(*request[1:]) for request in requests]
        check_ids(_joined(encoded), self._vocabulary, f"the task for {self._name}")
        for _, continuation in encoded:
            if not 1 <= len(continuation) <= self.max_length:
                raise SparsitySolverError(
                    f"an answer of {len(continuation)} tokens cannot be scored by {self._name}: 1 to {self.max_length} "
                    "are possible. Give a longer --seqlen, or correct the item."
                )
        return encoded

    def _fitting(self, context: list[int], answer: list[int]) -> Encoded:
        """A request that keeps the BOS of ``every`` where its context is too long; of others the base cuts off all."""
        room = max(1, self.max_length + 1 - len(answer))
        if self._lead and len(context) > room:
            context = self._lead + context[len(context) - room + 1 :]
        return context, answer

    def protocol(self) -> Json:
        """What the tokenizer does to requests, and the hash of those that were scored."""
        special = self._rule == FIRST and self.tok_encode("a")[0] in self.tokenizer.all_special_ids
        return {
            "bos": EVERY if self._lead else "tokenizer" if special else NONE,
            "eos": "left out" if self._added.after else "none",
            "ids_sha256": self.ids_sha256,
            "seqlen": self.max_length,
        }


class RequestEncoder(HarnessModel):
    """Gives back the token ids of requests, split and with BOS as lm-eval does it, in place of their scores."""

    def _loglikelihood_tokens(self, requests: list[Any], **options: Any) -> list[Encoded]:
        return self._checked(requests)


def _joined(encoded: list[Encoded]) -> np.ndarray:
    return np.array([token for request in encoded for part in request for token in part], dtype=np.int64)


def evaluate_zero_shot(
    loaded: LoadedModel, items: Items, batch_size: int = ZERO_SHOT_BATCH, max_length: int | None = None
) -> ZeroShotResult:
    """Evaluate a model on the items of a task, without examples, ``batch_size`` requests per forward pass.

    Requests longer than ``max_length`` tokens (default: what the model takes) lose their beginning; answers that are
    longer are an error.
    """
    if batch_size < 1:
        raise SparsitySolverError(f"batch size {batch_size} asked for; at least 1 is needed.")
    model, task = HarnessModel(loaded, max_length or loaded.context, batch_size), harness_task(items)
    name = task.config.task
    with quiet():
        # What simple_evaluate calls once models and tasks are objects; it would also seed every random generator,
        # index all tasks of the hub and ask git for a commit. A single item has no standard error.
        bootstrap = {"bootstrap_iters": 0} if len(items.records) == 1 else {}
        found = lm_eval.evaluate(lm=model, task_dict={"tasks": {name: task}, "groups": {}}, **bootstrap)
    samples = sorted(found["samples"][name], key=lambda sample: sample["doc_id"])
    scores, metrics = found["results"][name], {}
    for metric in ACCURACIES:
        if metric in samples[0]["metrics"]:
            stderr = scores[f"{metric}_stderr,none"]
            known = stderr if isinstance(stderr, float) else None
            metrics[metric] = {"value": float(scores[f"{metric},none"]), "stderr": known, "n": len(samples)}
    version = {"task_version": str(found["versions"][name]), "harness": HARNESS, "fewshot": 0, "batch_size": batch_size}
    return ZeroShotResult(
        metrics=metrics,
        correct={metric: [int(sample[metric]) for sample in samples] for metric in metrics},
        loglikelihoods=[[float(score) for score, _ in sample["filtered_resps"]] for sample in samples],
        protocol=version | model.protocol(),
    )


def zero_shot_fields(loaded: LoadedModel, items: Items, result: ZeroShotResult, pruning: Json) -> Json:
    """Fields of a cell of zero-shot accuracy; ``pruning`` is the model's pruning record, empty for a dense one.

    A log-likelihood that is not finite is an error: nothing can be said of the answer.
    """
    bad = sum(not all(map(math.isfinite, scores)) for scores in result.loglikelihoods)
    if bad:
        raise SparsitySolverError(
            f"{loaded.source.name} answers {items.task} without finite log-likelihoods: {bad} of {len(items.records)} "
            "items. Try another dtype."
        )
    scores = [[round(score, 8) for score in of_item] for of_item in result.loglikelihoods]
    return {
        "metrics": result.metrics,
        "fingerprint": {
            "kind": ZERO_SHOT,
            "dataset": items.source,
            "revision": items.revision,
            "items_sha256": items.sha256,
            "items": len(items.records),
            "split": items.part,
            **result.protocol,
            "dtype": loaded.dtype,
        },
        "leakage": zero_shot_leakage(items, seen_of(loaded, pruning)),
        "samples": {**result.correct, "loglikelihoods": scores},
    } | model_fields(loaded, pruning)


def zero_shot_leakage(items: Items, seen: Seen) -> Flags:
    """Flags of an accuracy: whoever names the task saw it, and whoever names a part that holds the items searched them.

    For whatever role: a calibration on the items saw their answers, too.
    """
    own, shared = (items.source, items.task), (REPORT, ALL, items.part)

    def searched(one: Json) -> bool:
        """Reported items anywhere, the same part, or parts that may share some."""
        return one["sha256"] == items.sha256 or one["part"] in shared or items.part == ALL

    task = [(one, one["source"] == items.task) for one in seen]
    return {
        "calibrated_on_eval_domain": any_seen((one, one["source"] in own) for one in seen if one["role"] != REWARD),
        "searched_on_reported_split": any_seen((one, same and searched(one)) for one, same in task),
        "saw_task": any_seen(task),
    }
