"""Shapes and parameter counts of published models, from their lines in ``config/models.tsv`` alone (no torch)."""

from dataclasses import dataclass

from sparsitysolver.config.registry import models_table
from sparsitysolver.errors import SparsitySolverError, known
from sparsitysolver.models.adapter import Adapter, family_class
from sparsitysolver.models.shape import Shape


@dataclass(frozen=True)
class PublishedModel:
    """A published model as counts: ``parameters`` counts a tied head once, ``vocabulary`` rows of the token table."""

    key: str
    family: type[Adapter]
    shape: Shape
    parameters: int
    vocabulary: int


def published_model(key: str) -> PublishedModel:
    """A model of the hub by key of ``config/models.tsv``; its published sizes must fit its parameters."""
    row = models_table()[known("published model", key, [name for name, row in models_table().items() if row.hub_id])]
    family = family_class(row.family)
    shape = family.sizes(row.layers, row.hidden, row.heads, row.kv_heads, row.head_dim, row.ffn)
    rest = row.parameters - shape.prunable_weights - family.fixed_parameters(shape)
    rows, left = divmod(rest, row.hidden)
    tables = 1 if family.tied else 2  # the head has one of its own, where it is not the token table
    vocabulary, odd = divmod(rows - family.positions, tables)
    if left or odd or vocabulary < 1:
        raise SparsitySolverError(
            f"config/models.tsv: {row.parameters} parameters of '{key}' do not fit its layers, hidden, heads, "
            f"kv_heads, head_dim and ffn: {rest} are left for embeddings of {row.hidden} channels."
        )
    return PublishedModel(key, family, shape, row.parameters, vocabulary)
