"""State of the global random generators that stable-baselines3 draws from, as plain values for a checkpoint."""

import random
from typing import Any

import numpy as np
import torch


def generator_states() -> dict[str, Any]:
    """States of torch's, numpy's and Python's global generators."""
    kind, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002 - the generator SB3 draws from
    return {
        "torch": torch.get_rng_state(),
        "numpy": [kind, keys.tolist(), position, has_gauss, gauss],
        "python": random.getstate(),
    }


def restore_generators(states: dict[str, Any]) -> None:
    """Set the global generators to saved states."""
    torch.set_rng_state(states["torch"])
    kind, keys, position, has_gauss, gauss = states["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), position, has_gauss, gauss))  # noqa: NPY002
    version, internal, gauss_next = states["python"]
    random.setstate((version, tuple(internal), gauss_next))
