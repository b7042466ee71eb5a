"""Structured pruning with compensation through reconstruction, layer by layer on the already repaired prefix."""

import torch

from sparsitysolver.errors import unknown_name
from sparsitysolver.models.structure import sliced_structure
from sparsitysolver.pruning.gram import GramUse, widest_input
from sparsitysolver.pruning.job import Job, Outcome
from sparsitysolver.pruning.reconstruction import RIDGE, reconstruct
from sparsitysolver.pruning.scores import channels_of
from sparsitysolver.pruning.slicing import slice_attention, slice_ffn
from sparsitysolver.pruning.units import FFN, MHA
from sparsitysolver.records.seen import RECONSTRUCTION
from sparsitysolver.statistics.replay import LayerReplay
from sparsitysolver.timing import timed

NAME = "Reconstruction"
REFERENCE = "SparsitySolver, section 3.2, equations 3-10 (ridge regression of removed on kept channels)"
GRAM = GramUse(RECONSTRUCTION, widest_input)
BOTH = "both"
MODULES = {MHA: (MHA,), FFN: (FFN,), BOTH: (MHA, FFN)}  # option modules: whose last linears are reconstructed
_TAPS = {MHA: "attention_output", FFN: "ffn_output"}


def prune(job: Job, kept: list[int]) -> Outcome:
    """Slice every layer, folding removed channels into the kept columns of the module's last linear.

    Attention before FFN of the same layer; inputs come from the pruned and reconstructed prefix, targets from the
    module's own weights before pruning (design: decision 7; resolutions 20 to 23 of the paper's ambiguities). The
    option ``modules`` (``mha``, ``ffn`` or ``both``) leaves the other modules merely sliced. The outcome's ``run``
    holds the seconds that each reconstructed module took: its layer's forward pass, the Gram matrix and the solution.
    """
    adapter, selection = job.adapter, job.selection
    repair = _Repair(job)
    for index in range(adapter.shape.layers):
        job.progress(f"reconstruct layer {index + 1}/{adapter.shape.layers}")
        groups = selection.kept(2 * index, kept[2 * index])
        weight = repair.weight(index, MHA, channels_of(groups, adapter.shape.group_channels))
        slice_attention(adapter, index, groups, weight)
        neurons = selection.kept(2 * index + 1, kept[2 * index + 1])
        weight = repair.weight(index, FFN, neurons)
        slice_ffn(adapter, index, neurons, weight)
        repair.replay.advance(index)
    facts = {"ridge": repair.ridge, "modules": repair.modules}
    return Outcome(sliced_structure(kept[::2], kept[1::2]), facts, {"module_seconds": repair.seconds})


class _Repair:
    """Reconstruction of one module after the other, with what each took."""

    def __init__(self, job: Job) -> None:
        self.ridge = job.option("ridge", RIDGE)
        self.modules = job.options.get("modules", BOTH)
        if self.modules not in MODULES:
            raise unknown_name("choice of modules to reconstruct", self.modules, MODULES)
        self.replay = LayerReplay(job.adapter, job.reconstruction_ids())
        self.seconds: dict[str, float] = {}

    def weight(self, index: int, kind: str, channels: torch.Tensor) -> torch.Tensor | None:
        """New weight (hidden, kept) of a module's last linear; None where it is not to be reconstructed."""
        if kind not in MODULES[self.modules]:
            return None
        weight, self.seconds[f"layers.{index}.{kind}"] = timed(lambda: self._solve(index, _TAPS[kind], channels))
        return weight

    def _solve(self, index: int, tap: str, channels: torch.Tensor) -> torch.Tensor:
        linear = getattr(self.replay.adapter.layers[index], tap)
        gram = self.replay.observe(index, {tap: linear})[tap].gram
        return reconstruct(linear.weight, gram, channels.to(linear.weight.device), self.ridge)
