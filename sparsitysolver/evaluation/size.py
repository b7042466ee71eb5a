"""What a model weighs: parameters, non-zeros, bytes, prunable weights."""

from dataclasses import asdict, dataclass

from sparsitysolver.models.adapter import Adapter
from sparsitysolver.models.shape import Shape


@dataclass(frozen=True)
class Size:
    """Counts of a model. ``parameters`` counts tied tensors once; ``prunable_weights`` only decoder-layer linears."""

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

    def record(self) -> dict[str, float | int]:
        """Fields of a cell."""
        return {**asdict(self), "achieved_sparsity": self.sparsity}


def dense_prunable_weights(shape: Shape) -> int:
    """Prunable weights of the dense model: decoder-layer linears without biases."""
    return shape.layers * (shape.groups * shape.weights_per_group + shape.ffn * shape.weights_per_neuron)


def measure_size(adapter: Adapter) -> Size:
    """Count a loaded model."""
    tensors = list(adapter.model.parameters())  # yields tied tensors once
    weights = [
        parameter
        for _, linear in adapter.prunable_linears()
        for name, parameter in linear.named_parameters()
        if name.endswith("weight")
    ]
    return Size(
        parameters=sum(tensor.numel() for tensor in tensors),
        nonzeros=sum(int(tensor.count_nonzero()) for tensor in tensors),
        bytes=sum(tensor.numel() * tensor.element_size() for tensor in tensors),
        prunable_weights=sum(weight.numel() for weight in weights),
        prunable_nonzeros=sum(int(weight.count_nonzero()) for weight in weights),
        prunable_dense=dense_prunable_weights(adapter.shape),
    )
