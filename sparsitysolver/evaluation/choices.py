"""Accuracy on a zero-shot task as a reward: requests tokenised and packed once, scored thousands of times.

The numbers are those of lm-eval (tests compare them); what is left out is everything that repeats: prompts,
tokenisation, batching, logits of the context. Requests that share a beginning are computed once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sparsitysolver.data.harness import harness_task, right_choice
from sparsitysolver.data.items import Items
from sparsitysolver.errors import known
from sparsitysolver.evaluation.perplexity import BATCH_TOKENS, token_losses
from sparsitysolver.evaluation.zero_shot import ACCURACIES, RequestEncoder
from sparsitysolver.models.adapter import Adapter
from sparsitysolver.models.loading import LoadedModel

_PAD = 0  # right of everything that is read, so causal attention never sees which token it is
Tokens = tuple[int, ...]


@dataclass(frozen=True)
class Batch:
    """One forward pass: right-padded ``ids`` (rows, tokens), and what is read from it.

    ``places`` (n,) index the flattened (rows * tokens) positions whose logits predict ``targets`` (n,) of ``requests``
    (n,); a place may occur more than once.
    """

    ids: torch.Tensor
    places: torch.Tensor
    targets: torch.Tensor
    requests: torch.Tensor


@dataclass(frozen=True)
class ChoiceRequests:
    """All requests of a task's items, ready to score.

    ``item`` and ``choice`` (requests,) say what a request is of, ``lengths`` (requests,) how long its choice is in
    characters, ``gold`` (items,) which choice is right. ``tokens`` is the number of tokens of one evaluation, padding
    left out.
    """

    batches: tuple[Batch, ...]
    item: np.ndarray
    choice: np.ndarray
    lengths: np.ndarray
    gold: np.ndarray
    metrics: tuple[str, ...]
    tokens: int


def choice_requests(
    loaded: LoadedModel, items: Items, max_length: int | None = None, batch_tokens: int = BATCH_TOKENS
) -> ChoiceRequests:
    """Tokenise and pack the requests of ``items`` for a model and its pruned variants.

    Requests longer than ``max_length`` tokens (default: what the model takes) lose their beginning, answers that are
    longer are an error; ``batch_tokens`` are the tokens of a forward pass, padding included.
    """
    encoder, task = RequestEncoder(loaded, max_length or loaded.context), harness_task(items)
    task.build_all_requests()
    encoded = encoder.loglikelihood(task.instances, disable_tqdm=True)
    # the last token of a continuation is predicted and never read; what is too long loses its beginning
    inputs = [tuple((context + answer)[-(encoder.max_length + 1) :][:-1]) for context, answer in encoded]
    answers = [answer for _, answer in encoded]
    readers, device = _readers(inputs), loaded.adapter.input_device
    docs = list(task.task_docs)
    choices = [task.doc_to_choice(doc) for doc in docs]
    return ChoiceRequests(
        batches=tuple(_batch(rows, readers, inputs, answers, device) for rows in _packed(readers, batch_tokens)),
        item=np.array([request.doc_id for request in task.instances]),
        choice=np.array([request.idx for request in task.instances]),
        lengths=np.array([float(len(choices[request.doc_id][request.idx])) for request in task.instances]),
        gold=np.array([right_choice(task, doc) for doc in docs]),
        metrics=tuple(metric for metric in ACCURACIES if metric in task.aggregation()),
        tokens=sum(map(len, readers)),
    )


def _readers(inputs: Sequence[Tokens]) -> dict[Tokens, list[int]]:
    """Rows to compute, each with the requests that are read from it: those whose input it is or begins with.

    In lexicographic order an input that begins any other one begins the next.
    """
    readers: dict[Tokens, list[int]] = {}
    row: Tokens = ()
    for request in sorted(range(len(inputs)), key=lambda request: inputs[request], reverse=True):
        if row[: len(inputs[request])] != inputs[request]:
            row = inputs[request]
        readers.setdefault(row, []).append(request)
    return readers


def _packed(rows: Iterable[Tokens], batch_tokens: int) -> list[list[Tokens]]:
    """Rows of about one length together, the longest last."""
    batches: list[list[Tokens]] = []
    for row in sorted(rows, key=lambda row: (len(row), row)):
        if batches and (len(batches[-1]) + 1) * len(row) <= batch_tokens:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches


def _batch(
    rows: list[Tokens],
    readers: dict[Tokens, list[int]],
    inputs: Sequence[Tokens],
    answers: Sequence[list[int]],
    device: torch.device,
) -> Batch:
    width = len(rows[-1])
    places, targets, requests = [], [], []
    for index, row in enumerate(rows):
        for request in readers[row]:
            answer, end = answers[request], index * width + len(inputs[request])
            places += range(end - len(answer), end)
            targets += answer
            requests += [request] * len(answer)
    ids = torch.tensor([[*row, *[_PAD] * (width - len(row))] for row in rows])
    return Batch(ids.to(device), *(torch.tensor(values, device=device) for values in (places, targets, requests)))


@torch.inference_mode()
def choice_loglikelihoods(adapter: Adapter, requests: ChoiceRequests) -> np.ndarray:
    """Log-likelihood (nats) of every request's continuation, float64 (requests,); log-softmax in float32.

    The head is applied to the positions that are read, no others.
    """
    total = np.zeros(len(requests.item))
    for batch in requests.batches:
        hidden = adapter.hidden_states(batch.ids)
        read = hidden.reshape(-1, hidden.shape[-1])[batch.places.to(hidden.device)]
        scores = -token_losses(adapter, read, batch.targets).double().cpu().numpy()
        np.add.at(total, batch.requests.cpu().numpy(), scores)
    return total


def correct(loglikelihoods: np.ndarray, requests: ChoiceRequests, metric: str) -> np.ndarray:
    """Which items are answered rightly by log-likelihoods (requests,) in nats, bool (items,).

    ``metric`` is ``acc``, or ``acc_norm``: divided by the number of characters of the choice, as lm-eval does.
    """
    known("metric of the task", metric, requests.metrics)
    scores = np.full((len(requests.gold), requests.choice.max() + 1), -np.inf)
    normalised = loglikelihoods / requests.lengths if metric == "acc_norm" else loglikelihoods
    scores[requests.item, requests.choice] = normalised
    return scores.argmax(axis=1) == requests.gold


def accuracy(adapter: Adapter, requests: ChoiceRequests, metric: str) -> float:
    """Fraction of items that the model answers rightly; see :func:`correct`."""
    return float(correct(choice_loglikelihoods(adapter, requests), requests, metric).mean())
