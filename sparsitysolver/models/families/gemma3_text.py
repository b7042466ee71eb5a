"""Gemma 3, text only: Gemma 2's norms, and one on every head of query and key; embeddings are scaled, layers slide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsitysolver.models.families import gemma2

if TYPE_CHECKING:
    from sparsitysolver.models.shape import Shape


class Family(gemma2.Family):
    """``Gemma3ForCausalLM``."""

    title = "Gemma 3"

    @classmethod
    def fixed_parameters(cls, shape: Shape) -> int:
        return super().fixed_parameters(shape) + shape.layers * 2 * shape.head_dim
