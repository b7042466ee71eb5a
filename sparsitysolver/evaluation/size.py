"""What a model weighs (parameters, non-zeros, bytes, prunable weights), and what pruning achieved of what was asked."""

from dataclasses import asdict, dataclass

from sparsitysolver.models.adapter import Adapter
from sparsitysolver.records.files import Json

OFF_BY = 0.01  # of the sparsity asked for: more is worth a word


@dataclass(frozen=True)
class Size:
    """Counts of a model.

    ``parameters`` counts tied tensors once. ``prunable_weights`` counts the weights of decoder-layer linears only, and
    with them what a method stores there in their place: both factors of a low-rank product, SliceGPT's shortcuts.
    """

    parameters: int
    nonzeros: int
    bytes: int
    prunable_weights: int
    prunable_nonzeros: int
    prunable_dense: int

    @property
    def sparsity(self) -> float:
        """Fraction of the dense model's prunable weights that is gone (removed or zero)."""
        return 1 - self.prunable_nonzeros / self.prunable_dense

    @property
    def remaining(self) -> int:
        """Parameters that are not pruned: all but the zeros among the prunable weights."""
        return self.parameters - (self.prunable_weights - self.prunable_nonzeros)

    def record(self) -> Json:
        """Fields of a cell."""
        return {**asdict(self), "achieved_sparsity": self.sparsity}


def measure_size(adapter: Adapter) -> Size:
    """Count a loaded model."""
    tensors = list(adapter.model.parameters())  # yields tied tensors once
    linears = [linear for _, linear in adapter.prunable_linears()] + adapter.shortcuts
    weights = [tensor for linear in linears for name, tensor in linear.named_parameters() if name.endswith("weight")]
    return Size(
        parameters=sum(tensor.numel() for tensor in tensors),
        nonzeros=sum(int(tensor.count_nonzero()) for tensor in tensors),
        bytes=sum(tensor.numel() * tensor.element_size() for tensor in tensors),
        prunable_weights=sum(weight.numel() for weight in weights),
        prunable_nonzeros=sum(int(weight.count_nonzero()) for weight in weights),
        prunable_dense=adapter.shape.prunable_weights,
    )


@dataclass(frozen=True)
class Achieved:
    """A pruned model's ``size``, the sparsity ``asked`` for, and the number of parameters of the ``dense`` model."""

    size: Size
    asked: float
    dense: int

    @property
    def removed(self) -> float:
        """Fraction of all of the dense model's parameters that is gone (removed or zero); negative where it grew."""
        return 1 - self.size.remaining / self.dense

    def record(self) -> Json:
        """Counts and both fractions: ``achieved_sparsity`` of the prunable weights, ``removed_parameters`` of all."""
        return self.size.record() | {"dense_parameters": self.dense, "removed_parameters": self.removed}

    def __str__(self) -> str:
        gone = f"{self.size.sparsity:.1%} of the prunable weights"
        size, dense = f"{self.size.remaining:,}", f"{self.dense:,}"
        if self.removed < 0:
            return f"{gone} gone, and {-self.removed:.1%} more parameters than the dense model ({size}, dense {dense})"
        return f"{gone} and {self.removed:.1%} of all parameters gone ({size} of {dense} left)"

    def warnings(self, ratio: str) -> list[str]:
        """What a reader of the sparsity alone would not expect.

        ``ratio`` is what the method takes the sparsity for a fraction of, where that is not the prunable weights.
        """
        found = []
        if round(abs(self.size.sparsity - self.asked), 9) > OFF_BY:
            why = f" (the sparsity is one {ratio})" if ratio else ""
            found.append(f"{self.size.sparsity:.1%} of the prunable weights are gone, not {self.asked:.1%}{why}.")
        if self.size.parameters > self.dense:
            found.append(f"the model grew, from {self.dense:,} parameters to {self.size.parameters:,}.")
        return found
