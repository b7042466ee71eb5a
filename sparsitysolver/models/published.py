"""Shapes and parameter counts of published models, from their lines in ``config/models.tsv`` alone (no torch)."""

from dataclasses import dataclass

from sparsitysolver.config.registry import ModelRow, models_table
from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.models.shape import Shape


@dataclass(frozen=True)
class _Family:
    """What a family's published models have in common."""

    ffn_inputs: int
    biased: bool  # every linear has a bias, and norms a shift
    tied: bool  # the head is the token table
    positions: int  # rows of a learned position table


_ROTARY = _Family(ffn_inputs=2, biased=False, tied=False, positions=0)
_FAMILIES = {
    "opt": _Family(ffn_inputs=1, biased=True, tied=True, positions=2048 + 2),  # its positions start at 2
    "llama": _ROTARY,
    "mistral": _ROTARY,
}


@dataclass(frozen=True)
class PublishedModel:
    """A published model as counts.

    Attributes:
        key: its key in ``config/models.tsv``.
        shape: dense sizes.
        parameters: all parameters, a tied head counted once.
        biased: whether linears have biases.
        vocabulary: rows of the token table and of the head.
        embeddings: rows of all embedding tables, learned positions included.
    """

    key: str
    shape: Shape
    parameters: int
    biased: bool
    vocabulary: int
    embeddings: int


def published_model(key: str) -> PublishedModel:
    """A model of the hub by key.

    Raises:
        SparsitySolverError: no such model, or one without published sizes.
    """
    known = {name: row for name, row in models_table().items() if row.hub_id and row.family in _FAMILIES}
    if key not in known:
        raise unknown_name("published model", key, known)
    row, family = known[key], _FAMILIES[known[key].family]
    shape = _shape(row, family)
    rest = row.parameters - shape.prunable_weights - _biases_and_norms(shape, family.biased)
    rows, left = divmod(rest, row.hidden)
    vocabulary = rows - family.positions if family.tied else rows // 2
    if left or vocabulary < 1 or (not family.tied and rows % 2):
        raise SparsitySolverError(
            f"config/models.tsv: {row.parameters} parameters of '{key}' do not fit its layers, hidden, heads, "
            f"kv_heads, head_dim and ffn: {rest} are left for embeddings of {row.hidden} channels."
        )
    return PublishedModel(key, shape, row.parameters, family.biased, vocabulary, vocabulary + family.positions)


def _shape(row: ModelRow, family: _Family) -> Shape:
    return Shape(
        family=row.family,
        layers=row.layers,
        hidden=row.hidden,
        groups=row.kv_heads,
        heads_per_group=row.heads // row.kv_heads,
        head_dim=row.head_dim,
        ffn=row.ffn,
        ffn_inputs=family.ffn_inputs,
    )


def _biases_and_norms(shape: Shape, biased: bool) -> int:
    """Parameters of the decoder that are neither weights of linears nor embeddings: two norms a layer, a last one."""
    norms = (2 * shape.layers + 1) * shape.hidden
    if not biased:
        return norms
    return 2 * norms + shape.layers * sum(rows for rows, _ in shape.matrices.values())
