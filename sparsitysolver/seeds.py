"""One seed per axis, derived and recorded, never shared by accident (design: protocol decision 9)."""

import hashlib

SEED_LIMIT = 2**31 - 1  # every generator in use accepts seeds below this


def derive_seed(*axes: str | int | float) -> int:
    """Seed in [0, 2^31 - 1) from the axes that name a draw, e.g. ``("search", model, method, sparsity, index)``."""
    digest = hashlib.sha256("\x1f".join(str(axis) for axis in axes).encode()).digest()
    return int.from_bytes(digest[:8], "big") % SEED_LIMIT
