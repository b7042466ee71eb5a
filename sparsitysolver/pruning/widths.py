"""SliceGPT's widths and what a model sliced to one stores (no torch).

Source: Ashkboos et al., SliceGPT: Compress Large Language Models by Deleting Rows and Columns, ICLR 2024, section 3.
"""

from fractions import Fraction

from sparsitysolver.models.published import PublishedModel
from sparsitysolver.models.shape import Shape

INTERVAL, INTERVAL_FROM = 8, 512  # widths are multiples of 8 in streams of 512 channels or more


def rounding_interval(hidden: int) -> int:
    """What widths are multiples of: 8 from 512 channels upwards, 1 below (design: decision 4)."""
    return INTERVAL if hidden >= INTERVAL_FROM else 1


def sliced_width(hidden: int, slicing: float) -> int:
    """k = (1 - slicing) * hidden, rounded down to the interval; exact for decimal fractions."""
    interval = rounding_interval(hidden)
    return int((1 - Fraction(str(slicing))) * hidden) // interval * interval


def stored_weights(shape: Shape, width: int) -> int:
    """Weights that a model sliced to ``width`` stores in its decoder layers, shortcuts included, biases not."""
    channels = shape.groups * shape.group_channels
    read = channels + 2 * shape.groups * shape.head_dim + shape.ffn_inputs * shape.ffn  # rows of q, k, v, FFN inputs
    written = channels + shape.ffn  # columns of both output projections
    last = (shape.hidden - width) * (shape.ffn + width)  # the last FFN output and its shortcut stay full width
    return shape.layers * width * (read + written + 2 * width) + last


def stored_parameters(model: PublishedModel, width: int) -> int:
    """All parameters of a published model sliced to ``width``.

    Norms vanish into the linears, tables are cut, and the head is untied and whole; where norms have shifts, the head
    gets a bias from the last one. Biases of outputs are cut but the last.
    """
    shape, family = model.shape, model.family
    tables = (model.vocabulary + family.positions) * width + model.vocabulary * shape.hidden
    cut = ("attention_output", "ffn_output")
    biases = shape.layers * sum(width if role in cut else shape.matrices[role][0] for role in family.biased)
    whole = shape.hidden - width if "ffn_output" in family.biased else 0
    return stored_weights(shape, width) + tables + biases + whole + (model.vocabulary if family.subtracts_mean else 0)


def removed_fraction(shape: Shape, width: int) -> float:
    """Achieved sparsity: 1 - stored weights / prunable weights of the dense model; negative near full width."""
    return 1 - stored_weights(shape, width) / shape.prunable_weights


def matched_width(shape: Shape, sparsity: float) -> int:
    """The width whose removed fraction of prunable weights is closest to ``sparsity``; the larger one at a draw."""
    interval = rounding_interval(shape.hidden)
    widths = range(shape.hidden // interval * interval, 0, -interval)
    return min(widths, key=lambda width: abs(removed_fraction(shape, width) - sparsity), default=0)
