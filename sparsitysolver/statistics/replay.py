"""Layer-by-layer replay of the calibration windows through a model that changes as it goes.

Sequential methods (reconstruction, SliceGPT, SVD-LLM's update) need each layer's inputs as the already changed prefix
gives them. The inputs of the first layer are captured from a forward pass, with the keyword arguments that the model
itself computes for every layer, so nothing here knows masks or rotary embeddings, nor which layers slide; a test holds
replay equal to the full forward pass.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from sparsitysolver.models.adapter import Adapter
from sparsitysolver.statistics.collect import BATCH_TOKENS, Moments, recording


class LayerReplay:
    """Calibration activations standing before one layer; ``advance`` moves them behind it."""

    def __init__(self, adapter: Adapter, ids: np.ndarray, batch_tokens: int = BATCH_TOKENS) -> None:
        self.adapter = adapter
        tokens = torch.from_numpy(ids.astype(np.int64)).to(adapter.input_device)
        captured = [self._capture(batch) for batch in tokens.split(max(1, batch_tokens // ids.shape[1]))]
        self.hidden: list[torch.Tensor] = [hidden for hidden, _ in captured]
        self._kwargs: list[list[dict[str, Any]]] = [kwargs for _, kwargs in captured]  # of every batch, by layer

    @torch.no_grad()
    def _capture(self, ids: torch.Tensor) -> tuple[torch.Tensor, list[dict[str, Any]]]:
        """The first layer's input and every layer's keyword arguments, from a pass whose layers do nothing."""
        seen: list[tuple[torch.Tensor, dict[str, Any]]] = []

        def stand_in(hidden_states: torch.Tensor, **kwargs: Any) -> torch.Tensor:
            seen.append((hidden_states, kwargs))
            return hidden_states

        modules = list(self.adapter.layer_modules)
        own = [vars(module).get("forward") for module in modules]  # of models spread over several devices
        for module in modules:
            module.forward = stand_in
        try:
            self.adapter.hidden_states(ids)
        finally:
            for module, forward in zip(modules, own, strict=True):
                del module.forward
                if forward is not None:
                    module.forward = forward
        return seen[0][0], [kwargs for _, kwargs in seen]

    @torch.no_grad()
    def run(self, index: int) -> list[torch.Tensor]:
        """Outputs of layer ``index`` for the activations standing before it, which stay where they are."""
        module = self.adapter.layer_modules[index]
        return [module(hidden, **kwargs[index]) for hidden, kwargs in zip(self.hidden, self._kwargs, strict=True)]

    def run_with(self, index: int, batch: int, weights: dict[str, torch.Tensor]) -> torch.Tensor:
        """Output of layer ``index`` for one batch of ``hidden``; gradients flow through ``weights``.

        These take the place of its own, by their names within its module, such as ``self_attn.q_proj.weight``.
        """
        module = self.adapter.layer_modules[index]
        return torch.func.functional_call(module, weights, (self.hidden[batch],), self._kwargs[batch][index])

    def observe(self, index: int, modules: dict[str, nn.Module], gram: bool = True) -> dict[str, Moments]:
        """Moments of the inputs of some modules of layer ``index``, without moving on."""
        with recording(modules, gram) as moments:
            self.run(index)
        return moments

    def advance(self, index: int) -> None:
        """Replace the activations by the outputs of layer ``index``."""
        self.hidden = self.run(index)

    def map(self, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Apply a function to all activations (batch, tokens, hidden), e.g. a rotation of the residual stream."""
        self.hidden = [change(hidden) for hidden in self.hidden]
