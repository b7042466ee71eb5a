"""Dense sizes of a model: all that budgets and accounting need of it (no torch)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """Dense sizes of a model. A group is one key-value head with the query heads that share it."""

    family: str
    layers: int
    hidden: int
    groups: int
    heads_per_group: int
    head_dim: int
    ffn: int
    ffn_inputs: int

    @property
    def group_channels(self) -> int:
        """Input channels of the attention output projection that one group feeds."""
        return self.heads_per_group * self.head_dim

    @property
    def weights_per_group(self) -> int:
        """Weights (no biases) of one group: its rows of q, k, v and its columns of o."""
        return 2 * self.hidden * self.head_dim * (self.heads_per_group + 1)

    @property
    def weights_per_neuron(self) -> int:
        """Weights (no biases) of one FFN neuron."""
        return self.hidden * (self.ffn_inputs + 1)
