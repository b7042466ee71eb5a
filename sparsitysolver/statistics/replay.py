"""Layer-by-layer replay of the calibration windows through a model that changes as it goes.

Sequential methods (reconstruction, SliceGPT, SVD-LLM's update) need each layer's inputs as the already changed prefix
gives them. The inputs of the first layer are captured from a forward pass, with the keyword arguments that the model
itself computes for every layer, so nothing here knows masks or rotary embeddings, nor which layers slide; a test holds
replay equal to the full forward pass.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import torch
from torch import nn

from sparsitysolver.models.adapter import Adapter
from sparsitysolver.statistics.collect import BATCH_TOKENS, OUTPUT_TAPS, Moments, recording

# Inputs of a layer's output projections that are kept for the rest of its run, in bytes; beyond it they are recomputed.
KEPT_BYTES = 1 << 30


class _Seen(Exception):
    """What was to be seen of a layer has been seen: the rest of its run is left out."""


@contextmanager
def answering(answers: Mapping[nn.Module, Callable[..., Any]]) -> Iterator[None]:
    """While the block runs, modules answer by functions in place of their forward."""
    own = [vars(module).get("forward") for module in answers]  # of models spread over several devices
    for module, answer in answers.items():
        module.forward = answer
    try:
        yield
    finally:
        for module, forward in zip(answers, own, strict=True):
            del module.forward
            if forward is not None:
                module.forward = forward


class LayerReplay:
    """Calibration activations standing before one layer; ``advance`` moves them behind it.

    A layer may change between two runs of it. What a run has computed up to the input of an output projection, and the
    change leaves as it was, may be kept (``observe``, ``narrow``): the next run begins there.
    """

    def __init__(self, adapter: Adapter, ids: np.ndarray, batch_tokens: int | None = None) -> None:
        self.adapter = adapter
        tokens = torch.from_numpy(ids.astype(np.int64)).to(adapter.input_device)
        size = batch_tokens or adapter.batch_tokens(BATCH_TOKENS)
        captured = [self._capture(batch) for batch in tokens.split(max(1, size // ids.shape[1]))]
        self.hidden: list[torch.Tensor] = [hidden for hidden, _ in captured]
        self._kwargs: list[list[dict[str, Any]]] = [kwargs for _, kwargs in captured]  # of every batch, by layer
        self._kept: dict[tuple[str, int], torch.Tensor] = {}  # by tap and batch, of the layer at work

    @torch.no_grad()
    def _capture(self, ids: torch.Tensor) -> tuple[torch.Tensor, list[dict[str, Any]]]:
        """The first layer's input and every layer's keyword arguments, from a pass whose layers do nothing."""
        seen: list[tuple[torch.Tensor, dict[str, Any]]] = []

        def stand_in(hidden_states: torch.Tensor, **kwargs: Any) -> torch.Tensor:
            seen.append((hidden_states, kwargs))
            return hidden_states

        with answering(dict.fromkeys(self.adapter.layer_modules, stand_in)):
            self.adapter.hidden_states(ids)
        return seen[0][0], [kwargs for _, kwargs in seen]

    def run(self, index: int) -> list[torch.Tensor]:
        """Outputs of layer ``index`` for the activations standing before it, which stay where they are."""
        return [self._run(index, batch) for batch in range(len(self.hidden))]

    @torch.no_grad()
    def _run(self, index: int, batch: int) -> torch.Tensor:
        module = self.adapter.layer_modules[index]
        with answering(self._answers(module, batch)):
            return module(self.hidden[batch], **self._kwargs[batch][index])

    def _answers(self, module: nn.Module, batch: int) -> dict[nn.Module, Callable[..., Any]]:
        """What of a layer need not be computed again: modules whose result follows from what was kept."""
        layer, answers = self.adapter.layer(module), {}
        attended, activated = (self._kept.get((tap, batch)) for tap in OUTPUT_TAPS)
        if attended is not None:
            answers[layer.attention] = lambda *_, **__: (layer.attention_output(attended), None)
        if activated is not None:
            project = layer.ffn_output.forward
            answers |= dict.fromkeys(layer.ffn_inputs, lambda hidden: hidden.new_empty(*hidden.shape[:-1], 0))
            answers[layer.ffn_output] = lambda _: project(activated)
        return answers

    def run_with(self, index: int, batch: int, weights: dict[str, torch.Tensor]) -> torch.Tensor:
        """Output of layer ``index`` for one batch of ``hidden``; gradients flow through ``weights``.

        These take the place of its own, by their names within its module, such as ``self_attn.q_proj.weight``.
        """
        module = self.adapter.layer_modules[index]
        return torch.func.functional_call(module, weights, (self.hidden[batch],), self._kwargs[batch][index])

    def observe(
        self, index: int, modules: dict[str, nn.Module], gram: bool = True, keep: str | None = None
    ) -> dict[str, Moments]:
        """Moments of the inputs of some modules of layer ``index``, without moving on; a run ends at the last of them.

        ``keep`` is a tap of ``OUTPUT_TAPS`` up to which the layer will give the same when it runs again, or a choice of
        its channels (:meth:`narrow`): the next runs begin there, as far as memory goes (``KEPT_BYTES``).
        """
        waiting: set[nn.Module] = set()

        def note(module: nn.Module, _: Any) -> None:
            waiting.discard(module)
            if not waiting:
                raise _Seen

        def store(batch: int, inputs: torch.Tensor) -> None:
            if sum(one.nbytes for one in self._kept.values()) + inputs.nbytes <= KEPT_BYTES:
                self._kept[keep, batch] = inputs

        output = getattr(self.adapter.layers[index], keep) if keep else None
        with recording(modules, gram) as moments:
            for batch in range(len(self.hidden)):
                waiting.update(modules.values())
                handles = [output.register_forward_pre_hook(lambda _, args, b=batch: store(b, args[0]))] if keep else []
                handles += [module.register_forward_pre_hook(note) for module in modules.values()]
                with suppress(_Seen):
                    self._run(index, batch)
                for handle in handles:
                    handle.remove()
        return moments

    def narrow(self, tap: str, channels: torch.Tensor) -> None:
        """The layer at work has lost all but these input channels of an output projection: so does what was kept."""
        for key in [key for key in self._kept if key[0] == tap]:
            self._kept[key] = self._kept[key][..., channels.to(self._kept[key].device)]

    def advance(self, index: int) -> None:
        """Replace the activations by the outputs of layer ``index``."""
        self.hidden = self.run(index)
        self._kept.clear()

    def map(self, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Apply a function to all activations (batch, tokens, hidden), e.g. a rotation of the residual stream."""
        self.hidden = [change(hidden) for hidden in self.hidden]
