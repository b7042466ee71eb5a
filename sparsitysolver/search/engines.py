"""Episode engines: a model that can be any candidate at once, by prefixes of sorted units or by ranks (design, 6)."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from sparsitysolver.evaluation.perplexity import window_losses
from sparsitysolver.models.adapter import Adapter
from sparsitysolver.models.structure import zero_attention
from sparsitysolver.pruning.masks import check_scores, row_ranks
from sparsitysolver.pruning.scores import channels_of, ranking, score_units
from sparsitysolver.pruning.scores import criterion as criterion_of
from sparsitysolver.pruning.slicing import keep_rows, set_columns
from sparsitysolver.pruning.units import STRUCTURED, UNSTRUCTURED
from sparsitysolver.statistics.collect import Statistics, tap_of
from sparsitysolver.statistics.replay import answering

STATES_BYTES = 1 << 30  # of hidden states kept between evaluations: where all layers' are more, those of every k-th


class Engine:
    """A dense model that becomes any candidate in no time; it owns the model of ``adapter`` and changes it in place."""

    adapter: Adapter
    _last: tuple[list[int], torch.Tensor | None] = ([], None)  # what was evaluated last: candidate and windows
    _states: dict[int, list[torch.Tensor]] = {}  # its hidden states behind some layers, batch by batch  # noqa: RUF012

    def apply(self, kept: Sequence[int]) -> None:
        """Make the model the candidate that keeps ``kept[i]`` items of unit i."""
        raise NotImplementedError

    def losses(self, kept: Sequence[int], windows: torch.Tensor, lead: int = 0) -> np.ndarray:
        """Mean loss (nats per token) of each window (windows, lead + seqlen) under a candidate; see window_losses.

        Layers before the first one in which it differs from the candidate before are not computed again.
        """
        self.apply(kept)
        with self._going_on(list(kept), windows):
            return window_losses(self.adapter, windows, lead=lead)

    @contextmanager
    def _going_on(self, kept: list[int], windows: torch.Tensor) -> Iterator[None]:
        """Let a forward pass begin where the last one's states are this candidate's, and keep the states of this one.

        They are kept from the second of two candidates on that begin alike: a search that changes every unit at every
        step pays nothing for them. What is computed does not depend on them, to the last bit.
        """
        modules, (last, of) = list(self.adapter.layer_modules), self._last
        units = len(kept) // len(modules)
        changed = next((i for i, pair in enumerate(zip(kept, last)) if pair[0] != pair[1]), len(kept))
        shared = changed // units if of is windows and last else 0
        states = {layer: held for layer, held in self._states.items() if layer < shared}
        self._last, self._states = ([], None), {}  # nothing is known where the pass fails
        with ExitStack() as stack:
            if states:
                begin = max(states)
                held = iter(states[begin])
                answers = dict.fromkeys(modules[:begin], lambda hidden, *_, **__: hidden)
                stack.enter_context(answering(answers | {modules[begin]: lambda *_, **__: next(held)}))
            every = math.ceil(len(modules) * windows.numel() * self._state_bytes / STATES_BYTES)
            for layer in range(every - 1, len(modules) - 1, every) if shared else ():
                if layer not in states:
                    seen = states[layer] = []
                    hook = modules[layer].register_forward_hook(lambda _, __, out, seen=seen: seen.append(out))
                    stack.callback(hook.remove)
            yield
        self._last, self._states = (kept, windows), states

    @property
    def _state_bytes(self) -> int:
        return self.adapter.shape.hidden * self.adapter.embeddings[0].weight.element_size()


def build_engine(adapter: Adapter, statistics: Statistics, granularity: str, criterion: str) -> Engine:
    """The engine of a granularity around a dense model, which it takes over."""
    if granularity == STRUCTURED:
        return PrefixEngine(adapter, score_units(adapter, statistics, criterion))
    return RankEngine(adapter, statistics, criterion)


class PrefixEngine(Engine):
    """The engine of structured episodes: permute once, prune by prefix.

    Scores do not change during a search. Heads and neurons are sorted by score once, which leaves the model's function
    as it is; a candidate is then a set of prefix views of the sorted weights: no copies, no masks, and a smaller
    forward pass. ``scores`` are those of the items of all units, in the order of ``structured_units``.
    """

    def __init__(self, adapter: Adapter, scores: Sequence[torch.Tensor]) -> None:
        self.adapter = adapter
        # Of every unit its linears, how many rows (below 0: columns) an item takes there, full weights and biases.
        self._full: list[list[tuple[nn.Module, int, torch.Tensor, torch.Tensor | None]]] = []
        self._attentions = [adapter.layer(module).attention for module in adapter.layer_modules]
        group, head = adapter.shape.group_channels, adapter.shape.head_dim
        for index, layer in enumerate(adapter.layers):
            heads, neurons = map(ranking, scores[2 * index : 2 * index + 2])
            self._sort(heads, zip(layer.attention_inputs, (group, head, head)), layer.attention_output, group)
            self._sort(neurons, ((linear, 1) for linear in layer.ffn_inputs), layer.ffn_output, 1)
        self._applied: list[int | None] = [None] * len(self._full)

    def _sort(
        self, order: torch.Tensor, inputs: Iterable[tuple[nn.Module, int]], output: nn.Module, width: int
    ) -> None:
        """Sort the items of one unit: rows of its input linears, columns of its output linear."""
        order, unit = order.to(output.weight.device), []
        for linear, rows in inputs:
            keep_rows(linear, channels_of(order, rows))
            unit.append((linear, rows, linear.weight.data, None if linear.bias is None else linear.bias.data))
        set_columns(output, output.weight[:, channels_of(order, width)])
        self._full.append([*unit, (output, -width, output.weight.data, None)])

    def apply(self, kept: Sequence[int]) -> None:
        """Make the model the candidate that keeps ``kept[i]`` groups or neurons of unit i."""
        for unit, count in enumerate(kept):
            if self._applied[unit] == count:
                continue
            if unit % 2 == 0:
                module, attention = self.adapter.layer_modules[unit // 2], self._attentions[unit // 2]
                self.adapter.replace(module, "attention", attention)
                self.adapter.group_count_changed(attention, count)
                if count == 0:
                    self.adapter.replace(module, "attention", zero_attention(self.adapter, module))
            for linear, width, weight, bias in self._full[unit]:
                linear.weight.data = weight[: width * count] if width > 0 else weight[:, : -width * count]
                if bias is not None:
                    linear.bias.data = bias[: width * count]
            self._applied[unit] = count


class RankedLinear(nn.Module):
    """A linear of which every row shows its ``kept`` best weights only; it shares weight and bias with the original."""

    def __init__(self, linear: nn.Linear, ranks: torch.Tensor) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias
        self.register_buffer("ranks", ranks, persistent=False)
        self.kept = linear.in_features

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(..., in_features) to (..., out_features)."""
        weight = self.weight
        if self.kept < self.in_features:
            weight = torch.where(self.ranks < self.kept, weight, 0)
        return functional.linear(hidden, weight, self.bias)


class RankEngine(Engine):
    """The engine of unstructured episodes: rank once, prune by comparing.

    Scores do not change during a search. The rank of every weight within its row is stored once, one byte a weight in
    rows of up to 255 columns and two in longer ones; a candidate is then ``rank < k``, made where a matrix is used and
    dropped after it: nothing is sorted again, no weight is restored or copied. ``statistics`` are the dense model's at
    every distinct input (``ALL_TAPS``), ``criterion`` is what ranks the weights of a row.
    """

    def __init__(self, adapter: Adapter, statistics: Statistics, criterion: str) -> None:
        self.adapter = adapter
        self._linears: list[RankedLinear] = []
        score = criterion_of(UNSTRUCTURED, criterion)
        for index, module in enumerate(adapter.layer_modules):
            for role, linear in adapter.layer(module).linears.items():
                scores = score(linear.weight, statistics.of(index, tap_of(role)))
                ranked = RankedLinear(linear, row_ranks(check_scores(scores, f"layers.{index}.{role}")))
                adapter.replace(module, role, ranked)
                self._linears.append(ranked)

    @property
    def rank_bytes(self) -> int:
        """Memory beyond the dense model, in bytes; a forward pass holds one masked matrix at a time on top."""
        return sum(linear.ranks.numel() * linear.ranks.element_size() for linear in self._linears)

    def apply(self, kept: Sequence[int]) -> None:
        """Make the model the candidate that keeps ``kept[i]`` weights in every row of matrix i."""
        for linear, count in zip(self._linears, kept, strict=True):
            linear.kept = count
