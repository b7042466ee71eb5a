"""Prunable units: attention groups and FFN neurons of a layer, or its weight matrices (design: decision 5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from sparsitysolver.errors import SparsitySolverError, known
from sparsitysolver.models.shape import ATTENTION_ROLES, Shape

MHA, FFN = "mha", "ffn"
STRUCTURED, UNSTRUCTURED = "structured", "unstructured"
GRANULARITIES = (STRUCTURED, UNSTRUCTURED)


@dataclass(frozen=True)
class Unit:
    """One prunable unit: ``size`` items of ``weights_per_item`` weights each.

    Items are groups or neurons; of a weight matrix they are columns: as many weights of every row as are kept.
    """

    name: str
    kind: str
    layer: int
    size: int
    weights_per_item: int

    @property
    def weights(self) -> int:
        """Weights of the whole unit (Algorithm 1's w_i)."""
        return self.size * self.weights_per_item

    @property
    def attention(self) -> bool:
        """Whether it belongs to attention, as heads or as one of its matrices."""
        return self.kind == MHA or self.kind in ATTENTION_ROLES


def structured_units(shape: Shape) -> list[Unit]:
    """The 2L units in forward order: attention then FFN of every layer (paper, section 3.1)."""
    kinds = ((MHA, shape.groups, shape.weights_per_group), (FFN, shape.ffn, shape.weights_per_neuron))
    return [
        Unit(f"layers.{layer}.{kind}", kind, layer, size, weights)
        for layer in range(shape.layers)
        for kind, size, weights in kinds
    ]


def unstructured_units(shape: Shape) -> list[Unit]:
    """One unit a weight matrix, 6L in OPT and 7L in LLaMA and Mistral, in forward order; ``kind`` is its role.

    A row of ``size`` weights keeps the same number in every row, as Wanda prunes (resolution 4 of the paper's
    ambiguities).
    """
    return [
        Unit(f"layers.{layer}.{role}", role, layer, columns, rows)
        for layer in range(shape.layers)
        for role, (rows, columns) in shape.matrices.items()
    ]


def units_of(shape: Shape, granularity: str) -> list[Unit]:
    """The units of a granularity, or an error with near names."""
    rules = {STRUCTURED: structured_units, UNSTRUCTURED: unstructured_units}
    return rules[known("granularity", granularity, rules)](shape)


def check_sparsity(sparsity: float) -> float:
    """A sparsity strictly between 0 and 1, or an error."""
    if not 0 < sparsity < 1:  # also refuses NaN
        percent = f": for {sparsity:g}% give {sparsity / 100:g}" if 1 < sparsity < 100 else ""
        raise SparsitySolverError(
            f"sparsity {sparsity} asked for; it is the fraction of prunable weights to remove, above 0 and below 1"
            f"{percent}."
        )
    return sparsity


def budget(units: Sequence[Unit], sparsity: float) -> int:
    """Most weights that may be kept: floor((1 - P) * W_all), exact for decimal sparsities such as 0.2."""
    return int((1 - Fraction(str(sparsity))) * sum(unit.weights for unit in units))


def kept_weights(units: Sequence[Unit], kept: Sequence[float]) -> float:
    """Weights that a strategy keeps."""
    return sum(count * unit.weights_per_item for unit, count in zip(units, kept, strict=True))


def achieved_sparsity(units: Sequence[Unit], kept: Sequence[float]) -> float:
    """Fraction of prunable weights that a strategy removes."""
    return 1 - kept_weights(units, kept) / sum(unit.weights for unit in units)


def columns_at(units: Sequence[Unit], sparsities: Sequence[float | Fraction], whole: bool = True) -> list[float]:
    """Columns that matrices keep at sparsities of their own.

    Whole ones: of each row the lowest floor(size * s) go (Wanda). Else columns' worth, size * (1 - s): what methods
    keep that take the sparsity itself and choose over all rows (SparseGPT, magnitude).
    """
    pairs = zip(units, sparsities, strict=True)
    if whole:
        return [unit.size - int(unit.size * sparsity) for unit, sparsity in pairs]
    return [float(unit.size * (1 - Fraction(sparsity))) for unit, sparsity in pairs]


def sparsity_of(unit: Unit, kept: float) -> Fraction:
    """What a matrix loses that keeps ``kept`` columns' worth; the sparsity itself where that is a decimal one."""
    return 1 - Fraction(str(kept)) / unit.size


def uniform_kept(units: Sequence[Unit], sparsity: float, granularity: str, whole: bool = True) -> list[float]:
    """Uniform pruning of a granularity: the line that searches and baselines are measured by.

    The same sparsity for every layer, or for every matrix, where it is exact for decimal sparsities such as 0.7.
    """
    if granularity == STRUCTURED:
        return uniform_counts(units, sparsity)
    return columns_at(units, [Fraction(str(check_sparsity(sparsity)))] * len(units), whole)


def uniform_counts(units: Sequence[Unit], sparsity: float) -> list[int]:
    """The same sparsity for every layer: groups max(1, round(G(1-P))), then the most neurons within (1-P) of the layer.

    Raises a :class:`SparsitySolverError` where one group alone exceeds the layer's budget (design: decision 4).
    """
    keep = 1 - Fraction(str(check_sparsity(sparsity)))
    counts = []
    for mha, ffn in zip(units[::2], units[1::2], strict=True):
        whole = int(keep * (mha.weights + ffn.weights))
        groups = max(1, min(round(mha.size * keep), whole // mha.weights_per_item))
        room = whole - groups * mha.weights_per_item
        if room < 0:
            raise SparsitySolverError(
                f"sparsity {sparsity} is more than the units of layer {mha.layer} allow: one attention group holds "
                f"{mha.weights_per_item} of its {mha.weights + ffn.weights} weights. Lower the sparsity."
            )
        counts += [groups, min(ffn.size, room // ffn.weights_per_item)]
    return counts
