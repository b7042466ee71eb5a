"""What a model weighs: parameters, non-zeros, bytes, prunable weights."""

from dataclasses import asdict, dataclass

from sparsitysolver.models.adapter import Adapter


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

    def record(self) -> dict[str, float | int]:
        """Fields of a cell."""
        return {**asdict(self), "achieved_sparsity": self.sparsity}


def parameter_count(adapter: Adapter) -> int:
    """All parameters, tied tensors once."""
    return sum(tensor.numel() for tensor in adapter.model.parameters())


def measure_size(adapter: Adapter) -> Size:
    """Count a loaded model."""
    tensors = list(adapter.model.parameters())  # yields tied tensors once
    linears = [linear for _, linear in adapter.prunable_linears()] + adapter.shortcuts
    weights = [
        parameter for linear in linears for name, parameter in linear.named_parameters() if name.endswith("weight")
    ]
    return Size(
        parameters=sum(tensor.numel() for tensor in tensors),
        nonzeros=sum(int(tensor.count_nonzero()) for tensor in tensors),
        bytes=sum(tensor.numel() * tensor.element_size() for tensor in tensors),
        prunable_weights=sum(weight.numel() for weight in weights),
        prunable_nonzeros=sum(int(weight.count_nonzero()) for weight in weights),
        prunable_dense=adapter.shape.prunable_weights,
    )
