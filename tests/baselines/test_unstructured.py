"""Unstructured baselines on whole models: direct formulas on the pruned prefix, N:M, BESA's bookkeeping."""

import numpy as np
import pytest
import torch
from jobs import job_for
from tiny import logits, tiny_ids, tiny_model

from baselines import besa, magnitude, sparsegpt, uniform, wanda, wanda_static
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.size import measure_size
from sparsitysolver.models.adapter import adapt
from sparsitysolver.pruning import obs
from sparsitysolver.pruning.masks import Pattern
from sparsitysolver.pruning.units import UNSTRUCTURED

IDS = tiny_ids(12, 16, seed=1)


def job_of(model, sparsity=0.5, ids=IDS, **fields):
    return job_for(model, sparsity, ids, granularity=UNSTRUCTURED, **fields)


def weights_of(model):
    return [[linear.weight.clone() for linear in layer.linears.values()] for layer in adapt(model).layers]


def seen_by(model, index):
    """Of a layer on the calibration windows: inputs of its linears, (tokens, channels) float64, and its output."""
    seen, layer = [], adapt(model).layers[index]
    handles = [
        linear.register_forward_pre_hook(lambda _, args: seen.append(args[0])) for linear in layer.linears.values()
    ]
    handles.append(layer.module.register_forward_hook(lambda _, args, output: seen.append(output)))
    logits(model, IDS)
    for handle in handles:
        handle.remove()
    *inputs, output = seen
    return [one.reshape(-1, one.shape[-1]).double() for one in inputs], output


def with_prefix(family, pruned, layers):
    """A dense model whose first ``layers`` layers are those of the pruned one."""
    model = tiny_model(family)
    for index in range(layers):
        for linear, weight in zip(adapt(model).layers[index].linears.values(), pruned[index], strict=True):
            linear.weight.copy_(weight)
    return model


def wanda_by_hand(weight, inputs, removed):
    metric = weight.abs().double() * inputs.square().sum(dim=0).sqrt()
    pruned = weight.clone()
    for row in range(len(weight)):
        pruned[row, metric[row].argsort(stable=True)[:removed]] = 0
    return pruned


@pytest.mark.parametrize("pruner", [wanda, wanda_static])
def test_wanda_is_the_direct_formula(family, pruner):
    """Wanda's layers see the pruned prefix, the static variant's the dense one; neither sees its own layer pruned."""
    model, dense = tiny_model(family), weights_of(tiny_model(family))
    job = job_of(model, 0.3)
    pruner.prune(job, uniform.allocate(job))
    pruned = weights_of(model)
    for index in (0, 1, 2):
        prefix = with_prefix(family, pruned, index if pruner is wanda else 0)
        for place, inputs in enumerate(seen_by(prefix, index)[0]):
            weight = dense[index][place]
            assert torch.equal(pruned[index][place], wanda_by_hand(weight, inputs, int(0.3 * weight.shape[1])))
            other = wanda_by_hand(
                weight, seen_by(with_prefix(family, pruned, 2), 2)[0][place], int(0.3 * weight.shape[1])
            )
            assert index < 2 or place or torch.equal(pruned[index][place], other) == (pruner is wanda)


def test_sparsegpt_solves_on_the_pruned_prefix(family):
    model, dense = tiny_model(family), weights_of(tiny_model(family))
    job = job_of(model, 0.7, whole=False, options={"blocksize": "20", "percdamp": "0.05"})
    sparsegpt.prune(job, uniform.allocate(job))
    pruned = weights_of(model)
    for place, inputs in enumerate(seen_by(with_prefix(family, pruned, 1), 1)[0]):
        # 0.7 itself: whole columns would be 22 of 32, 0.6875.
        expected = obs.sparsegpt(dense[1][place], inputs.T @ inputs, 0.7, blocksize=20, percdamp=0.05)
        assert torch.equal(pruned[1][place] == 0, expected == 0)
        assert torch.allclose(pruned[1][place], expected, atol=1e-5)


def test_magnitude_takes_the_smallest_of_every_matrix(family):
    model, dense = tiny_model(family), weights_of(tiny_model(family))
    job = job_of(model, 0.3, whole=False)
    magnitude.prune(job, uniform.allocate(job))
    for old, new in zip(sum(dense, []), sum(weights_of(model), []), strict=True):
        assert int((new == 0).sum()) == int(0.3 * old.numel()) + 1  # not a whole number of columns
        assert torch.equal(new[new != 0], old[new != 0])
        assert old[new == 0].abs().max() < old[new != 0].abs().min()


@pytest.mark.parametrize("pruner", [wanda, magnitude, sparsegpt])
@pytest.mark.parametrize("text", ["2:4", "1:4"])
def test_patterns_hold_in_every_matrix(family, pruner, text):
    pattern = Pattern.parse(text)
    job = job_of(tiny_model(family), pattern.sparsity, pattern=pattern)
    pruner.prune(job, uniform.allocate(job))
    for weight in sum(weights_of(job.adapter.model), []):
        assert ((weight != 0).reshape(len(weight), -1, 4).sum(dim=2) == pattern.keep).all()


@pytest.mark.parametrize("pruner", [wanda, magnitude, sparsegpt])
def test_a_pattern_that_does_not_divide_names_the_matrix(pruner):
    job = job_of(tiny_model("llama"), pattern=Pattern(4, 8))  # FFN of 44
    with pytest.raises(SparsitySolverError, match=r"4:8 does not divide the 44 columns of layers\.0\.ffn_output"):
        pruner.prune(job, uniform.allocate(job))


@pytest.mark.parametrize("pruner", [wanda, sparsegpt, besa])
def test_silent_neurons_and_empty_rows_are_no_nan(family, pruner):
    """Neurons that never fire give columns of zeros; a query row of zeros has nothing to remove."""
    model = tiny_model(family)
    for layer in adapt(model).layers:
        layer.query.weight[3] = 0
        layer.ffn_inputs[-1].weight[:6] = 0
        if layer.ffn_inputs[-1].bias is not None:
            layer.ffn_inputs[-1].bias[:6] = -1
    job = job_of(model)
    pruner.prune(job, None if pruner is besa else uniform.allocate(job))
    assert logits(model).isfinite().all()
    assert not any(layer.ffn_output.weight[:, :6].any() for layer in job.adapter.layers)


@pytest.mark.parametrize("rows", ["no", "yes"])
def test_besa_removes_the_lowest_wanda_scores_on_the_pruned_prefix(family, rows):
    model, dense = tiny_model(family), weights_of(tiny_model(family))
    besa.prune(job_of(model, options={"rows": rows}), None)
    pruned = weights_of(model)
    for place, inputs in enumerate(seen_by(with_prefix(family, pruned, 1), 1)[0]):
        weight, found = dense[1][place], pruned[1][place]
        removed = (found == 0).sum(dim=1)
        for row, count in enumerate(removed.tolist()):
            one = slice(row, row + 1)
            assert torch.equal(found[one], wanda_by_hand(weight[one], inputs, count))
        assert (removed == removed[0]).all() or rows == "yes"
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(("sparsity", "probabilities"), [(0.5, "softmax of sigmoid"), (0.7, "softmax")])
@pytest.mark.parametrize("rows", ["no", "yes"])
def test_besa_exact_meets_the_sparsity_to_the_weight(family, sparsity, probabilities, rows):
    job = job_of(tiny_model(family), sparsity, options={"exact": "yes", "rows": rows})
    facts = besa.prune(job, None).facts
    weights = sum(unit.weights for unit in job.units)
    assert round(facts["achieved_sparsity"] * weights) == round(sparsity * weights)
    assert measure_size(job.adapter).sparsity == pytest.approx(facts["achieved_sparsity"], abs=1e-12)
    assert facts["least_block_sparsity"] == pytest.approx(sparsity, abs=1e-3)
    assert facts["probabilities"] == probabilities


def test_besa_states_what_it_achieved(family):
    job = job_of(tiny_model(family), 0.7, options={"prune_dense": "yes"})
    facts = besa.prune(job, None).facts
    shares = [
        sum(int((weight == 0).sum()) for weight in layer) / sum(weight.numel() for weight in layer)
        for layer in weights_of(job.adapter.model)
    ]
    assert facts["least_block_sparsity"] == pytest.approx(min(shares))
    assert facts["most_block_sparsity"] == pytest.approx(max(shares))
    assert facts["achieved_sparsity"] == pytest.approx(np.mean(shares))
    assert 0.624 < facts["achieved_sparsity"] < 0.9  # beyond what smoothing could reach; 12 steps reach no target


def test_besa_takes_from_matrices_that_do_not_matter(family):
    """Where the FFN's last linear is almost zero, the FFN's weights cost nothing: they go, the attention's stay.

    A step-size coefficient of 50 fails this: all matrices end where the smoothing ends, and no gradient is left.
    """
    model = tiny_model(family, num_hidden_layers=1)
    adapt(model).layers[0].ffn_output.weight.mul_(1e-3)
    job = job_of(model, 0.5, tiny_ids(80, 16, seed=1))
    besa.prune(job, None)
    layer = job.adapter.layers[0]
    free = [float((linear.weight == 0).float().mean()) for linear in layer.ffn_inputs]
    needed = [float((linear.weight == 0).float().mean()) for linear in (layer.value, layer.attention_output)]
    assert min(free) > max(needed) + 0.1


@pytest.mark.parametrize("prune_dense", ["no", "yes"])
def test_besa_reconstructs_the_reference_asked_for(family, prune_dense, monkeypatch):
    """Either what the dense model gives, or what the still dense block gives on the pruned prefix."""
    targets, steps = [], len(IDS)
    loss = besa.besa.reconstruction_loss
    monkeypatch.setattr(
        besa.besa, "reconstruction_loss", lambda target, output: targets.append(target) or loss(target, output)
    )
    model = tiny_model(family)
    besa.prune(job_of(model, options={"prune_dense": prune_dense}), None)
    pruned = weights_of(model)
    for index in (0, 1, 2):
        prefix = with_prefix(family, pruned, index if prune_dense == "no" else 0)
        expected = seen_by(prefix, index)[1]
        found = torch.cat(targets[index * steps : (index + 1) * steps])
        assert torch.allclose(found, expected, atol=1e-5)
    outputs = [seen_by(model, 2)[1] for model in (with_prefix(family, pruned, 2), tiny_model(family))]
    assert not torch.allclose(*outputs, atol=0.1)


def test_besas_step_size_is_that_of_the_recipe(monkeypatch):
    found = []
    prodigy = besa.Prodigy
    monkeypatch.setattr(
        besa, "Prodigy", lambda *a, d_coef, **k: found.append(d_coef) or prodigy(*a, d_coef=d_coef, **k)
    )
    for options in ({"prune_dense": "yes"}, {"rows": "yes"}, {}, {"prune_dense": "yes", "d_coef": "0.5"}):
        besa.prune(job_of(tiny_model("llama", num_hidden_layers=1), options=options), None)
    assert found == [50, 5, 1, 0.5]


def test_besa_has_nothing_to_learn_under_a_pattern():
    assert besa.skip(job_of(tiny_model("opt"))) is None
    assert "2:4 leaves nothing to learn" in besa.skip(job_of(tiny_model("opt"), pattern=Pattern(2, 4)))
