"""Running sums over token activations: the only thing scores, whitening and reconstruction need of the data."""

from dataclasses import dataclass

import torch


@dataclass
class Moments:
    """Sums over tokens of one linear's input x (channels,), accumulated in float64.

    ``total`` = Σ x, ``squares`` = Σ x², ``gram`` = Σ x xᵀ (channels, channels) where asked for. ``tokens`` counts x.
    """

    want_gram: bool = False
    tokens: int = 0
    total: torch.Tensor | None = None
    squares: torch.Tensor | None = None
    gram: torch.Tensor | None = None

    def add(self, inputs: torch.Tensor) -> None:
        """Add activations (..., channels)."""
        flat = inputs.detach().reshape(-1, inputs.shape[-1])
        wide = flat.double()
        if self.total is None:
            zeros = wide.new_zeros(wide.shape[1])
            self.total, self.squares = zeros, zeros.clone()
            if self.want_gram:
                self.gram = wide.new_zeros(wide.shape[1], wide.shape[1])
        self.tokens += wide.shape[0]
        self.total += wide.sum(dim=0)
        self.squares += wide.square().sum(dim=0)
        if self.gram is not None:
            self.gram.addmm_(wide.T, wide)

    @property
    def norm(self) -> torch.Tensor:
        """‖X_j‖₂ of every channel over all tokens."""
        return self.squares.sqrt()

    @property
    def mean(self) -> torch.Tensor:
        """Mean of every channel."""
        return self.total / self.tokens

    @property
    def variance(self) -> torch.Tensor:
        """Unbiased variance of every channel over tokens; 0 for a single token."""
        scatter = self.squares - self.total.square() / self.tokens
        return scatter.clamp_min(0) / max(1, self.tokens - 1)

    def cpu(self) -> "Moments":
        """Sums of x and x² on the CPU, without the Gram matrix."""
        return Moments(tokens=self.tokens, total=self.total.cpu(), squares=self.squares.cpu())
