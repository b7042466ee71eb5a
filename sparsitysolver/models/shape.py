"""Dense sizes of a model: all that budgets and accounting need of it (no torch)."""

from dataclasses import dataclass

ATTENTION_ROLES = ("query", "key", "value", "attention_output")


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

    @property
    def ffn_input_roles(self) -> tuple[str, ...]:
        """Names of the linears that read the FFN's input."""
        return ("gate", "up") if self.ffn_inputs == 2 else ("ffn_input",)

    @property
    def roles(self) -> tuple[str, ...]:
        """Names of a layer's linears in forward order."""
        return (*ATTENTION_ROLES, *self.ffn_input_roles, "ffn_output")

    @property
    def matrices(self) -> dict[str, tuple[int, int]]:
        """(rows, columns) of every weight matrix of a layer, by role: (out_features, in_features)."""
        channels, keys = self.groups * self.group_channels, self.groups * self.head_dim
        sizes = {
            "query": (channels, self.hidden),
            "key": (keys, self.hidden),
            "value": (keys, self.hidden),
            "attention_output": (self.hidden, channels),
            "ffn_output": (self.hidden, self.ffn),
        }
        return {role: sizes.get(role, (self.ffn, self.hidden)) for role in self.roles}

    @property
    def prunable_weights(self) -> int:
        """Prunable weights of the dense model: decoder-layer linears without biases."""
        return self.layers * (self.groups * self.weights_per_group + self.ffn * self.weights_per_neuron)
