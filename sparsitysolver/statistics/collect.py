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

BATCH_TOKENS = 4096  # of a forward pass; fewer where a CPU's caches hold less (:meth:`Adapter.batch_tokens`)
# Rows of activations whose float64 copy stays in a CPU's cache, and whose Gram matrix is summed in float32. A block's
# sum is rounded once, blocks are added in float64: entries are then within 1e-6 of √(G_ii G_jj), mostly within 1e-8.
_WIDE_ROWS, _GRAM_ROWS = 256, 1024
_PANELS, _PANEL = 8, 256  # the upper triangle is made of so many strips at most, of so many rows at least
# Inputs that structured pruning reads: of the attention output projection and of the FFN output projection.
OUTPUT_TAPS = ("attention_output", "ffn_output")
# Inputs of every linear, each distinct one once: q, k, v share theirs, gate and up share theirs.
ALL_TAPS = ("query", "attention_output", "ffn_input", "ffn_output")


def tap_of(role: str) -> str:
    """The tap that stands for the input of a linear."""
    return {"key": "query", "value": "query", "gate": "ffn_input", "up": "ffn_input"}.get(role, role)


@dataclass
class Moments:
    """Sums over tokens of one linear's input x (channels,): ``total`` = Σ x and ``squares`` = Σ x² in float64.

    ``gram`` = Σ x xᵀ (channels, channels), float64, where asked for: of float32 sums over blocks of tokens, which costs
    a quarter of float64's (far less on GPUs that are slow at it). ``tokens`` counts x.
    """

    want_gram: bool = False
    tokens: int = 0
    total: torch.Tensor | None = None
    squares: torch.Tensor | None = None
    _upper: torch.Tensor | None = None

    def add(self, inputs: torch.Tensor) -> None:
        """Add activations (..., channels)."""
        flat = inputs.detach().reshape(-1, inputs.shape[-1])
        channels = flat.shape[1]
        if self.total is None:
            zeros = flat.new_zeros(channels, dtype=torch.double)
            self.total, self.squares = zeros, zeros.clone()
            if self.want_gram:
                self._upper = zeros.new_zeros(channels, channels)
        self.tokens += len(flat)
        for rows in flat.split(_WIDE_ROWS if flat.device.type == "cpu" else max(1, len(flat))):
            wide = rows.double()
            ones = wide.new_ones(len(wide))
            self.total += ones @ wide
            self.squares += ones @ wide.square()
        if self._upper is not None:
            for rows in flat.split(_GRAM_ROWS):
                self._add_gram(rows.to(torch.promote_types(rows.dtype, torch.float32)))

    def _add_gram(self, rows: torch.Tensor) -> None:
        for strip in self._strips():
            self._upper[strip, strip.start :] += rows[:, strip].T @ rows[:, strip.start :]

    def _strips(self) -> list[slice]:
        channels = len(self._upper)
        height = max(_PANEL, -(-channels // _PANELS))
        return [slice(start, min(start + height, channels)) for start in range(0, channels, height)]

    @property
    def gram(self) -> torch.Tensor | None:
        """Σ x xᵀ (channels, channels), symmetric; None where it was not asked for."""
        if self._upper is not None:
            for strip in self._strips():  # the lower triangle is filled where it is asked for, in place
                own = self._upper[strip, strip]
                own.copy_(own.triu() + own.triu(1).T)
                self._upper[strip.stop :, strip] = self._upper[strip, strip.stop :].T
        return self._upper

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
        for batch in tokens.split(max(1, adapter.batch_tokens(BATCH_TOKENS) // ids.shape[1])):
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
