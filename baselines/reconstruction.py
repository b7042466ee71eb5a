"""Structured pruning with compensation through reconstruction, layer by layer on the already repaired prefix."""

import torch

from sparsitysolver.errors import known
from sparsitysolver.models.structure import sliced_structure
from sparsitysolver.pruning.job import GramUse, Job, Outcome, widest_input
from sparsitysolver.pruning.reconstruction import RIDGE, reconstruct
from sparsitysolver.pruning.scores import channels_of, kept_indices
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


def prune(job: Job, kept: list[int]) -> Outcome:
    """Slice every layer, folding removed channels into the kept columns of the module's last linear.

    Attention before FFN of the same layer; inputs come from the pruned and reconstructed prefix, targets from the
    module's own weights before pruning (design: decision 7; resolutions 20 to 23 of the paper's ambiguities). The
    option ``modules`` (``mha``, ``ffn`` or ``both``) leaves the other modules merely sliced. The outcome's ``run``
    holds the seconds that each reconstructed module took: its layer's forward pass, the Gram matrix and the solution.
    """
    adapter, scores = job.adapter, job.scores
    ridge = job.option("ridge", RIDGE)
    modules = known("choice of modules to reconstruct", job.options.get("modules", BOTH), MODULES)
    replay = LayerReplay(adapter, job.reconstruction_ids())
    seconds: dict[str, float] = {}

    def repaired(index: int, kind: str, tap: str, channels: torch.Tensor) -> torch.Tensor | None:
        """New weight (hidden, kept) of a module's last linear; None where it is not to be reconstructed."""

        def solve() -> torch.Tensor:
            linear = adapter.layers[index].linears[tap]
            gram = replay.observe(index, {tap: linear}, keep=tap)[tap].gram
            return reconstruct(linear.weight, gram, channels.to(linear.weight.device), ridge)

        if kind not in MODULES[modules]:
            return None
        weight, seconds[f"layers.{index}.{kind}"] = timed(solve)
        return weight

    for index in range(adapter.shape.layers):
        job.progress(f"reconstruct layer {index + 1}/{adapter.shape.layers}")
        groups = kept_indices(scores[2 * index], kept[2 * index])
        channels = channels_of(groups, adapter.shape.group_channels)
        slice_attention(adapter, index, groups, repaired(index, MHA, "attention_output", channels))
        replay.narrow("attention_output", channels)
        neurons = kept_indices(scores[2 * index + 1], kept[2 * index + 1])
        slice_ffn(adapter, index, neurons, repaired(index, FFN, "ffn_output", neurons))
        replay.narrow("ffn_output", neurons)
        replay.advance(index)
    facts = {"ridge": ridge, "modules": modules}
    return Outcome(sliced_structure(kept[::2], kept[1::2]), facts, {"module_seconds": seconds})
