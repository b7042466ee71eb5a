"""What pruning achieved, beside what was asked for."""

from dataclasses import dataclass

from sparsitysolver.evaluation.size import Size, measure_size
from sparsitysolver.models.adapter import Adapter
from sparsitysolver.records.files import Json

OFF_BY = 0.01  # of the sparsity asked for: more is worth a word


@dataclass(frozen=True)
class Achieved:
    """A pruned model's size.

    Attributes:
        size: its counts.
        asked: fraction of the prunable weights that was to go.
        dense: parameters of the dense model.
    """

    size: Size
    asked: float
    dense: int

    @classmethod
    def of(cls, adapter: Adapter, asked: float, dense: int) -> "Achieved":
        """Measure a model as its pruner left it."""
        return cls(measure_size(adapter), asked, dense)

    @property
    def removed(self) -> float:
        """Fraction of all of the dense model's parameters that is gone (removed or zero); negative where it grew."""
        return 1 - self.size.remaining / self.dense

    def record(self) -> Json:
        """Counts and both fractions: ``achieved_sparsity`` of the prunable weights, ``removed_parameters`` of all."""
        return self.size.record() | {"dense_parameters": self.dense, "removed_parameters": self.removed}

    def __str__(self) -> str:
        if self.removed < 0:
            return (
                f"{self.size.sparsity:.1%} of the prunable weights gone, and {-self.removed:.1%} more parameters than "
                f"the dense model ({self.size.remaining:,}, dense {self.dense:,})"
            )
        return (
            f"{self.size.sparsity:.1%} of the prunable weights and {self.removed:.1%} of all parameters gone "
            f"({self.size.remaining:,} of {self.dense:,} left)"
        )

    def warnings(self, ratio: str) -> list[str]:
        """What a reader of the sparsity alone would not expect.

        Args:
            ratio: what the method takes the sparsity asked for as a fraction of; empty for the prunable weights.
        """
        found = []
        if round(abs(self.size.sparsity - self.asked), 9) > OFF_BY:
            why = f" (the sparsity is one {ratio})" if ratio else ""
            found.append(f"{self.size.sparsity:.1%} of the prunable weights are gone, not {self.asked:.1%}{why}.")
        if self.size.parameters > self.dense:
            found.append(f"the model grew, from {self.dense:,} parameters to {self.size.parameters:,}.")
        return found
