"""Shapes and parameter counts of published models, from their lines in ``config/models.tsv`` alone (no torch)."""

from dataclasses import dataclass

from sparsitysolver.config.registry import models_table
from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.models.adapter import family_class
from sparsitysolver.models.shape import Shape


@dataclass(frozen=True)
class PublishedModel:
    """A published model as counts.

    Attributes:
        key: its key in ``config/models.tsv``.
        shape: dense sizes.
        parameters: all parameters, a tied head counted once.
        biased: roles of the linears that have biases.
        vocabulary: rows of the token table and of the head.
        embeddings: rows of all embedding tables, learned positions included.
        shifted: whether norms have a shift.
    """

    key: str
    shape: Shape
    parameters: int
    biased: tuple[str, ...]
    vocabulary: int
    embeddings: int
    shifted: bool


def published_model(key: str) -> PublishedModel:
    """A model of the hub by key of ``config/models.tsv``.

    Raises:
        SparsitySolverError: no such model, or one without published sizes.
    """
    known = {name: row for name, row in models_table().items() if row.hub_id}
    if key not in known:
        raise unknown_name("published model", key, known)
    row = known[key]
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
    return PublishedModel(
        key=key,
        shape=shape,
        parameters=row.parameters,
        biased=family.biased,
        vocabulary=vocabulary,
        embeddings=vocabulary + family.positions,
        shifted=family.subtracts_mean,
    )
