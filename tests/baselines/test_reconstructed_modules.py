"""Reconstruction of a choice of modules: the others are as plain slicing leaves them."""

import pytest
import torch
from jobs import job_for
from tiny import logits, tiny_ids, tiny_model

from baselines import reconstruction, slicing
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning.slicing import dense_again

KEPT = [2, 30, 3, 20, 1, 40]


def pruned(family, pruner, kept, **options):
    """Output weights by role after pruning, and the outcome."""
    job = job_for(tiny_model(family), options=options)
    outcome = pruner.prune(job, kept)
    weights = {
        role: [getattr(layer, role).weight for layer in job.adapter.layers]
        for role in ("attention_output", "ffn_output")
    }
    return weights, outcome


def kept_of(family):
    """Mistral has two groups a layer."""
    return (
        [min(count, 2) if index % 2 == 0 else count for index, count in enumerate(KEPT)]
        if family == "mistral"
        else KEPT
    )


@pytest.mark.parametrize(("modules", "repaired"), [("mha", "attention_output"), ("ffn", "ffn_output")])
def test_other_modules_are_merely_sliced(family, modules, repaired):
    kept = kept_of(family)
    plain, _ = pruned(family, slicing, kept)
    some, outcome = pruned(family, reconstruction, kept, modules=modules)
    untouched = ({"attention_output", "ffn_output"} - {repaired}).pop()
    assert all(map(torch.equal, some[untouched], plain[untouched]))
    assert not any(torch.equal(a, b) for a, b in zip(some[repaired], plain[repaired]) if a.shape[1] not in (32, 44, 48))
    assert outcome.facts["modules"] == modules
    assert set(outcome.run["module_seconds"]) == {f"layers.{index}.{modules}" for index in range(3)}


def test_both_is_the_default_and_more_than_either(family):
    kept = kept_of(family)
    default, outcome = pruned(family, reconstruction, kept)
    both, _ = pruned(family, reconstruction, kept, modules="both")
    for role in default:
        assert all(map(torch.equal, default[role], both[role]))
    attention, _ = pruned(family, reconstruction, kept, modules="mha")
    # The first layer's attention sees the same inputs either way; its FFN is another one.
    assert torch.equal(both["attention_output"][0], attention["attention_output"][0])
    assert not torch.equal(both["ffn_output"][0], attention["ffn_output"][0])
    assert len(outcome.run["module_seconds"]) == 6
    assert all(seconds > 0 for seconds in outcome.run["module_seconds"].values())


def test_unknown_modules():
    with pytest.raises(SparsitySolverError, match="unknown choice of modules to reconstruct 'mlp'.*both, ffn, mha"):
        pruned("llama", reconstruction, KEPT, modules="mlp")


@pytest.mark.parametrize("kept", [KEPT, [0, 30, 0, 0, 4, 40]], ids=["some", "none"])
def test_a_model_is_dense_again(family, kept):
    model, ids = tiny_model(family), tiny_ids(4, 10, seed=3)
    job, before = job_for(model), logits(model, ids)
    names = list(model.state_dict())
    kept = [min(count, job.units[index].size) for index, count in enumerate(kept)]
    with dense_again(job.adapter):
        slicing.prune(job, kept)
        assert not torch.equal(logits(model, ids), before)
    assert torch.equal(logits(model, ids), before)
    assert list(model.state_dict()) == names
    with pytest.raises(KeyError), dense_again(job.adapter):
        slicing.prune(job, kept)
        raise KeyError
    assert torch.equal(logits(model, ids), before)
    for layer in job.adapter.layers:
        assert (layer.query.in_features, layer.query.out_features) == tuple(layer.query.weight.shape)[::-1]
