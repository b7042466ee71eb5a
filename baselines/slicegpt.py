"""SliceGPT: rotate the residual stream to its principal components and delete the last ones, everywhere alike."""

import torch
from torch import nn

from sparsitysolver.models.adapter import Adapter
from sparsitysolver.models.structure import rotate_skeleton, rotated_structure, set_table
from sparsitysolver.pruning.job import GramUse, Job, Outcome, stream
from sparsitysolver.pruning.rotation import centre_outputs, fold_gain, principal_components
from sparsitysolver.pruning.widths import matched_width, removed_fraction, sliced_width
from sparsitysolver.records.seen import CALIBRATION
from sparsitysolver.statistics.collect import Moments
from sparsitysolver.statistics.replay import LayerReplay

NAME = "SliceGPT"
REFERENCE = "Ashkboos et al., ICLR 2024: one constant width, no fine-tuning"
GRAM = GramUse(CALIBRATION, stream)
_WEIGHTS_MISSED = 0.05  # a parameter-matched width further than this from the sparsity asked for is no match


def skip(job: Job) -> str | None:
    """Widths that do not exist, and models whose norms cannot be folded."""
    adapter = job.adapter
    width = _width(job)
    if width < 1:
        return f"slicing {job.sparsity} of {adapter.shape.hidden} channels leaves none"
    missed = abs(removed_fraction(adapter.shape, width) - job.sparsity)
    if job.flag("match_parameters") and missed > _WEIGHTS_MISSED:
        return f"no width removes {job.sparsity} of the prunable weights; the nearest misses it by {missed:.2f}"
    return adapter.unrotatable()


def ratio(job: Job) -> str:
    """What the sparsity asked for is a fraction of, where that is not the prunable weights."""
    return "" if job.flag("match_parameters") else "of the stream's width; slicegpt_matched meets the weights"


def prune(job: Job, kept: list[int] | None) -> Outcome:
    """Fold the norms, then rotate and slice layer by layer, each fed by the sliced layers before it.

    The sparsity asked for is a fraction of the stream's width; with the option ``match_parameters=yes`` it is the
    fraction of the dense model's decoder-layer weights that go, shortcuts counted as weights that stay.
    """
    adapter, width, ids = job.adapter, _width(job), job.ids()
    dense, untied = adapter.model.num_parameters(), untie_head(adapter)
    fold_norms(adapter)
    replay = LayerReplay(adapter, ids)
    components = _components(replay.hidden)
    for table in adapter.embeddings:
        set_table(table, _times(table.weight, components[:, :width]))
    replay.map(lambda hidden: _times(hidden, components[:, :width]))
    for index in range(adapter.shape.layers):
        job.progress(f"slice layer {index + 1}/{adapter.shape.layers}")
        components = _slice_layer(replay, index, components, width)
    head = adapter.lm_head
    _set(head, _times(head.weight, components), head.bias)
    added = {
        "shortcut_parameters": sum(shortcut.weight.numel() for shortcut in adapter.shortcuts),
        "untied_head_parameters": untied,
        "head_bias_parameters": 0 if head.bias is None else head.bias.numel(),
    }
    facts = {
        "width": width,
        "removed_fraction": removed_fraction(adapter.shape, width),
        "parameters_to_dense": adapter.model.num_parameters() / dense,  # the dense model's head tied or not
        "extra_parameters": sum(added.values()),
    }
    return Outcome(rotated_structure(width), facts | added)


def untie_head(adapter: Adapter) -> int:
    """Give the head weights of its own; returns how many parameters that adds."""
    head = adapter.lm_head
    untied = head.weight.numel() if head.weight is adapter.embeddings[0].weight else 0
    head.weight = nn.Parameter(head.weight.detach().clone(), requires_grad=False)
    adapter.config.tie_word_embeddings = False
    return untied


def fold_norms(adapter: Adapter) -> None:
    """Make every norm scale-free without changing the function (SliceGPT, section 3.2); the head must be untied.

    Gains and shifts go into the linears that follow; where the norm subtracts the mean, embeddings and both output
    projections are centred over their output channels instead. Shortcuts start as identities.
    """
    for layer in adapter.layers:
        for norm, linears in ((layer.attention_norm, layer.attention_inputs), (layer.ffn_norm, layer.ffn_inputs)):
            for linear in linears:
                _fold(adapter, norm, linear)
        if adapter.subtracts_mean:
            for linear in (layer.attention_output, layer.ffn_output):
                _set(linear, centre_outputs(linear.weight), centre_outputs(linear.bias))
    _fold(adapter, getattr(adapter.decoder, adapter.final_norm_name), adapter.lm_head)
    if adapter.subtracts_mean:
        for table in adapter.embeddings:
            set_table(table, centre_outputs(table.weight.T).T.to(table.weight.dtype))
    rotate_skeleton(adapter)
    for module in adapter.layer_modules:
        for shortcut in module.shortcuts:
            nn.init.eye_(shortcut.weight)


def _width(job: Job) -> int:
    shape = job.adapter.shape
    if job.flag("match_parameters"):
        return matched_width(shape, job.sparsity)
    return sliced_width(shape.hidden, job.sparsity)


def _slice_layer(replay: LayerReplay, index: int, incoming: torch.Tensor, width: int) -> torch.Tensor:
    """Slice one layer whose inputs are rotated by ``incoming`` (d, d) and cut; returns the rotation of its outputs.

    While the stream behind a module is not yet rotated, its shortcut rotates back to full width, so that the principal
    components are those of the original stream. The outputs of the last layer keep all d channels.
    """
    adapter = replay.adapter
    module, layer = adapter.layer_modules[index], adapter.layers[index]
    entering = incoming[:, :width]
    for linear in layer.attention_inputs:
        _set(linear, _times(linear.weight, entering), linear.bias)
    _set(module.attention_shortcut, entering, None)
    stream = replay.observe(index, {"stream": layer.ffn_norm}, keep="attention_output")["stream"]
    middle = principal_components(stream.gram)[:, :width]
    _rotate_outputs(layer.attention_output, middle)
    _set(module.attention_shortcut, _times(middle.T, entering), None)
    for linear in layer.ffn_inputs:
        _set(linear, _times(linear.weight, middle), linear.bias)
    _set(module.ffn_shortcut, middle, None)
    replay.advance(index)
    outgoing = _components(replay.hidden)
    leaving = outgoing if index == adapter.shape.layers - 1 else outgoing[:, :width]
    _rotate_outputs(layer.ffn_output, leaving)
    _set(module.ffn_shortcut, _times(leaving.T, middle), None)
    replay.map(lambda hidden: _times(hidden, leaving))
    return outgoing


def _components(hidden: list[torch.Tensor]) -> torch.Tensor:
    """Principal components (d, d) of activations (batch, tokens, d)."""
    moments = Moments(want_gram=True)
    for batch in hidden:
        moments.add(batch)
    return principal_components(moments.gram)


def _times(tensor: torch.Tensor, rotation: torch.Tensor) -> torch.Tensor:
    """``tensor`` (..., d) times ``rotation`` (d, k), computed in the rotation's float64, in the tensor's dtype."""
    return (tensor.to(rotation.dtype) @ rotation.to(tensor.device)).to(tensor.dtype)


def _rotate_outputs(linear: nn.Linear, rotation: torch.Tensor) -> None:
    """Write a linear's outputs in the coordinates of ``rotation`` (d, k): Qᵀ W and Qᵀ b."""
    bias = None if linear.bias is None else _times(linear.bias, rotation)
    _set(linear, _times(linear.weight.T, rotation).T, bias)


def _fold(adapter: Adapter, norm: nn.Module, linear: nn.Linear) -> None:
    gain, shift = adapter.gain(norm).to(linear.weight.device), getattr(norm, "bias", None)
    weight, bias = fold_gain(linear.weight, linear.bias, gain, None if shift is None else shift.to(gain.device))
    _set(linear, weight, bias)


def _set(linear: nn.Linear, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
    """New weight (out, in) and bias of any size, in the dtype and on the device the linear has."""
    like = linear.weight
    linear.out_features, linear.in_features = weight.shape
    linear.weight = nn.Parameter(weight.detach().to(like).contiguous(), requires_grad=False)
    linear.bias = None if bias is None else nn.Parameter(bias.detach().to(like), requires_grad=False)
