"""Which pruners invert or decompose Gram matrices of activations, and whether their windows hold enough tokens."""

from collections.abc import Callable
from dataclasses import dataclass

from sparsitysolver.models.shape import Shape


@dataclass(frozen=True)
class GramUse:
    """Gram matrices of ``channels(shape)`` channels at most, over the tokens of ``windows``: ``CALIBRATION`` or
    ``RECONSTRUCTION`` of ``records/seen.py``.
    """

    windows: str
    channels: Callable[[Shape], int]

    def few_tokens(self, label: str, shape: Shape, tokens: int) -> str | None:
        """A warning where the matrices have directions that no token has shown: their rank is at most ``tokens``."""
        channels = self.channels(shape)
        if tokens >= channels:
            return None
        return (
            f"{label} solves for up to {channels} directions of activations from {tokens} {self.windows} tokens, which "
            "cannot determine so many; give more or longer windows (--nsamples, --seqlen)."
        )


def stream(shape: Shape) -> int:
    """Channels of the residual stream."""
    return shape.hidden


def widest_input(shape: Shape) -> int:
    """Most input channels of any linear."""
    return max(columns for _, columns in shape.matrices.values())
