"""Layer-by-layer replay of the calibration windows through a model that changes as it goes.

Sequential methods (reconstruction, SliceGPT, SVD-LLM's update) need each layer's inputs as the already changed prefix
gives them. The inputs of the first layer are captured from a whole forward pass, with the keyword arguments the model
itself computed, so nothing here knows masks or rotary embeddings; a test holds replay equal to the full forward pass.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from sparsitysolver.models.adapter import Adapter
from sparsitysolver.statistics.collect import BATCH_TOKENS, recording
from sparsitysolver.statistics.moments import Moments


class _Captured(Exception):  # noqa: N818 - not an error: it ends a forward pass whose rest is not needed
    """Raised by the capturing hook once the first layer's inputs are known."""


class LayerReplay:
    """Calibration activations standing before one layer; ``advance`` moves them behind it."""

    def __init__(self, adapter: Adapter, ids: np.ndarray, batch_tokens: int = BATCH_TOKENS) -> None:
        self.adapter = adapter
        tokens = torch.from_numpy(ids.astype(np.int64)).to(adapter.input_device)
        captured = [self._capture(batch) for batch in tokens.split(max(1, batch_tokens // ids.shape[1]))]
        self.hidden: list[torch.Tensor] = [hidden for hidden, _ in captured]
        self._kwargs: list[dict[str, Any]] = [kwargs for _, kwargs in captured]

    @torch.no_grad()
    def _capture(self, ids: torch.Tensor) -> tuple[torch.Tensor, dict[str, Any]]:
        seen: list[tuple[torch.Tensor, dict[str, Any]]] = []

        def capture(_: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
            hidden = args[0] if args else kwargs.pop("hidden_states")
            seen.append((hidden, kwargs))
            raise _Captured

        handle = self.adapter.layer_modules[0].register_forward_pre_hook(capture, with_kwargs=True)
        try:
            self.adapter.hidden_states(ids)
        except _Captured:
            pass
        finally:
            handle.remove()
        return seen[0]

    @torch.no_grad()
    def run(self, index: int) -> list[torch.Tensor]:
        """Outputs of layer ``index`` for the activations standing before it, which stay where they are."""
        module = self.adapter.layer_modules[index]
        return [module(hidden, **kwargs) for hidden, kwargs in zip(self.hidden, self._kwargs, strict=True)]

    def run_with(self, index: int, batch: int, weights: dict[str, torch.Tensor]) -> torch.Tensor:
        """Output of layer ``index`` for one batch with ``weights`` in place of its own; gradients flow through them.

        Args:
            index: the layer.
            batch: the batch's place in ``hidden``.
            weights: tensors by parameter name within the layer's module, such as ``self_attn.q_proj.weight``.
        """
        module = self.adapter.layer_modules[index]
        return torch.func.functional_call(module, weights, (self.hidden[batch],), self._kwargs[batch])

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
