"""Running sums over activations: one pass of the dense model over the calibration windows, kept in a file."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.adapter import Adapter
from sparsitysolver.records.files import atomic_path, content_key

BATCH_TOKENS = 4096
# Inputs that structured pruning reads: of the attention output projection and of the FFN output projection.
OUTPUT_TAPS = ("attention_output", "ffn_output")
# Inputs of every linear, each distinct one once: q, k, v share theirs, gate and up share theirs.
ALL_TAPS = ("query", "attention_output", "ffn_input", "ffn_output")


def tap_of(role: str) -> str:
    """The tap that stands for the input of a linear."""
    return {"key": "query", "value": "query", "gate": "ffn_input", "up": "ffn_input"}.get(role, role)


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


@dataclass(frozen=True)
class Statistics:
    """Moments by tap name (``layers.3.ffn_output``), and the identity of model and ids they come from."""

    moments: dict[str, Moments]
    model_sha256: str
    ids_sha256: str
    tokens: int

    @property
    def key(self) -> str:
        """Content key: same weights and same ids give the same statistics."""
        return content_key([self.model_sha256, self.ids_sha256])

    def of(self, layer: int, tap: str) -> Moments:
        """Moments of one tap of one layer."""
        return self.moments[f"layers.{layer}.{tap}"]


def layer_taps(adapter: Adapter, index: int) -> dict[str, nn.Module]:
    """The linear whose input each tap of a layer stands for: the first of those that share it."""
    taps: dict[str, nn.Module] = {}
    for role, linear in adapter.layers[index].linears.items():
        taps.setdefault(tap_of(role), linear)
    return taps


@contextmanager
def recording(modules: dict[str, nn.Module], gram: bool) -> Iterator[dict[str, Moments]]:
    """While the block runs, add every input of ``modules`` to the moments of the same name."""
    moments = {name: Moments(want_gram=gram) for name in modules}
    handles = [
        module.register_forward_pre_hook(lambda _, args, name=name: moments[name].add(args[0]))
        for name, module in modules.items()
    ]
    try:
        yield moments
    finally:
        for handle in handles:
            handle.remove()


@torch.inference_mode()
def collect(
    adapter: Adapter, ids: np.ndarray, model_sha256: str, ids_sha256: str, taps: Iterable[str] = OUTPUT_TAPS
) -> Statistics:
    """Statistics of the model as it is over token ids (windows, seqlen); the identities are kept for the content key.

    ``taps``: which inputs to record, ``OUTPUT_TAPS`` or ``ALL_TAPS``.
    """
    tokens = torch.from_numpy(ids.astype(np.int64)).to(adapter.input_device)
    layers = [(f"layers.{index}", layer_taps(adapter, index)) for index in range(adapter.shape.layers)]
    modules = {f"{layer}.{tap}": module for layer, of in layers for tap, module in of.items() if tap in taps}
    with recording(modules, gram=False) as moments:
        for batch in tokens.split(max(1, BATCH_TOKENS // ids.shape[1])):
            adapter.hidden_states(batch)
    return Statistics(moments, model_sha256, ids_sha256, int(ids.size))


def save_statistics(statistics: Statistics, path: str | Path) -> None:
    """Write statistics as safetensors, identity in the metadata, whole or not at all."""
    tensors = {
        f"{name}.{field}": getattr(moments, field).cpu()
        for name, moments in statistics.moments.items()
        for field in ("total", "squares")
    }
    metadata = {name: str(getattr(statistics, name)) for name in ("model_sha256", "ids_sha256", "tokens")}
    with atomic_path(path) as temporary:
        save_file(tensors, str(temporary), metadata=metadata)


def load_statistics(
    path: str | Path, model_sha256: str, ids_sha256: str | None = None, taps: Sequence[str] = ()
) -> Statistics:
    """Read statistics and check that they belong to this model (and ids, where given) and hold these taps."""
    if not Path(path).is_file():
        raise SparsitySolverError(f"no statistics file at {path}.")
    moments: dict[str, Moments] = {}
    try:
        with safe_open(str(path), framework="pt") as handle:
            metadata = handle.metadata() or {}
            tokens = int(metadata.get("tokens", 0))
            for key in handle.keys():  # noqa: SIM118 - safe_open is no mapping
                name, field = key.rsplit(".", 1)
                setattr(moments.setdefault(name, Moments(tokens=tokens)), field, handle.get_tensor(key))
    except SafetensorError as error:
        raise SparsitySolverError(f"statistics file {path} is not whole: {error}.") from error
    of = {"model_sha256": ("another model", model_sha256), "ids_sha256": ("other ids", ids_sha256)}
    for name, (what, want) in of.items():
        if want is not None and metadata.get(name) != want:
            raise SparsitySolverError(
                f"statistics file {path} was made from {what}: {name} {metadata.get(name)} found, "
                f"{want} needed; run calibrate again for this model."
            )
    missing = [tap for tap in taps if f"layers.0.{tap}" not in moments]
    if missing:
        raise SparsitySolverError(
            f"statistics file {path} has no moments of '{missing[0]}': it was made for another granularity; run "
            "calibrate again with the --granularity of the method."
        )
    return Statistics(moments, metadata["model_sha256"], metadata["ids_sha256"], tokens)
