"""Zero-shot accuracy by lm-eval (stock prompts and metrics) of a model that is already loaded, dense or pruned."""

import copy
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import lm_eval
import numpy as np
from lm_eval.models.huggingface import HFLM

from sparsitysolver.config.registry import ZERO_SHOT_BATCH
from sparsitysolver.data.harness import harness_task, quiet
from sparsitysolver.data.items import Items
from sparsitysolver.data.tokens import added_tokens, check_ids, ids_sha256
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.loading import LoadedModel

HARNESS = f"lm_eval {metadata.version('lm_eval')}"
ACCURACIES = ("acc", "acc_norm")
# Token ids of a request: context and continuation.
Encoded = tuple[list[int], list[int]]


@dataclass(frozen=True)
class Accuracy:
    """Fraction of items answered rightly, its standard error (None for a single item), and the number of items."""

    value: float
    stderr: float | None
    n: int


@dataclass(frozen=True)
class ZeroShotResult:
    """What lm-eval found.

    ``metrics`` has ``acc``, and ``acc_norm`` where the task has it. ``correct`` has one 0 or 1 an item for each metric,
    ``loglikelihoods`` one list an item with a value (nats) a choice; both in the order of the items' records. ``bos``
    is ``tokenizer`` where requests begin with the tokenizer's own token, ``eos`` ``left out`` where it appends one;
    ``ids_sha256`` is of the token ids of all requests.
    """

    metrics: dict[str, Accuracy]
    correct: dict[str, list[int]]
    loglikelihoods: list[list[float]]
    task_version: str
    harness: str
    bos: str
    eos: str
    ids_sha256: str


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
        self._name, self._vocabulary = loaded.source.name, loaded.vocabulary
        self._added = added_tokens(self.tokenizer)
        self.ids_sha256 = ""

    def tok_encode(
        self,
        string: str,
        add_special_tokens: bool | None = None,
        left_truncate_len: int | None = None,
        **options: Any,
    ) -> list[int]:
        """As lm-eval's, without what the tokenizer appends."""
        ids = super().tok_encode(string, add_special_tokens, **options)
        if add_special_tokens is not False:
            ids = self._added.without_end(ids)
        return ids[-left_truncate_len:] if left_truncate_len else ids

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """As lm-eval's; progress is shown to people only."""
        return super().loglikelihood(requests, disable_tqdm=disable_tqdm or not sys.stderr.isatty())

    def _loglikelihood_tokens(self, requests: list[Any], **options: Any) -> list[tuple[float, bool]]:
        encoded = [request[1:] for request in requests]
        self._check(encoded)
        self.ids_sha256 = _requests_sha256(encoded)
        return super()._loglikelihood_tokens(requests, **options)

    def _check(self, encoded: list[Encoded]) -> None:
        """Contexts that are too long lose their beginning; an answer must fit whole, and every token have a place."""
        check_ids(_joined(encoded), self._vocabulary, f"the task for {self._name}")
        for _, continuation in encoded:
            if not 1 <= len(continuation) <= self.max_length:
                raise SparsitySolverError(
                    f"an answer of {len(continuation)} tokens cannot be scored by {self._name}: 1 to {self.max_length} "
                    "are possible. Give a longer --seqlen, or correct the item."
                )

    @property
    def bos(self) -> str:
        """``tokenizer`` where requests begin with the tokenizer's own special token, else ``none``."""
        return "tokenizer" if self.tok_encode("a")[0] in self.tokenizer.all_special_ids else "none"

    @property
    def eos(self) -> str:
        """``left out`` where the tokenizer appends a token of its own, else ``none``."""
        return "left out" if self._added.after else "none"


class RequestEncoder(HarnessModel):
    """Gives back the token ids of requests, split and with BOS as lm-eval does it, in place of their scores."""

    def _loglikelihood_tokens(self, requests: list[Any], **options: Any) -> list[Encoded]:
        encoded = [request[1:] for request in requests]
        self._check(encoded)
        return encoded


def _joined(encoded: list[Encoded]) -> np.ndarray:
    return np.array([token for request in encoded for part in request for token in part], dtype=np.int64)


def _requests_sha256(encoded: list[Encoded]) -> str:
    """Hash of the token ids of requests and of where each begins and splits."""
    lengths = [len(part) for request in encoded for part in request]
    return ids_sha256(np.concatenate([np.array(lengths), _joined(encoded)]))


def evaluate_zero_shot(
    loaded: LoadedModel, items: Items, batch_size: int = ZERO_SHOT_BATCH, max_length: int | None = None
) -> ZeroShotResult:
    """Evaluate a model on the items of a task, without examples.

    Args:
        loaded: the model and its tokenizer.
        items: what to ask.
        batch_size: requests per forward pass.
        max_length: longest request in tokens, longer ones lose their beginning; default: what the model takes.

    Raises:
        SparsitySolverError: an unusable batch size, an answer longer than ``max_length``.
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
    scores, names = found["results"][name], [metric for metric in ACCURACIES if metric in samples[0]["metrics"]]
    return ZeroShotResult(
        metrics={metric: _accuracy(scores, metric, len(samples)) for metric in names},
        correct={metric: [int(sample[metric]) for sample in samples] for metric in names},
        loglikelihoods=[[float(score) for score, _ in sample["filtered_resps"]] for sample in samples],
        task_version=str(found["versions"][name]),
        harness=HARNESS,
        bos=model.bos,
        eos=model.eos,
        ids_sha256=model.ids_sha256,
    )


def _accuracy(scores: dict[str, Any], metric: str, n: int) -> Accuracy:
    stderr = scores[f"{metric}_stderr,none"]
    return Accuracy(float(scores[f"{metric},none"]), stderr if isinstance(stderr, float) else None, n)
