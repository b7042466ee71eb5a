"""Cached greedy generation gives what generation without a cache gives, and a cache that does not is found out."""

import pytest
import torch
from tiny import tiny_ids, tiny_model

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation import generation
from sparsitysolver.evaluation.generation import check_cache, decode, prefill
from sparsitysolver.models.adapter import adapt
from sparsitysolver.models.modules import ZeroAttention
from sparsitysolver.models.structure import apply_structure, low_rank_structure, rotated_structure
from sparsitysolver.pruning.slicing import slice_attention, slice_ffn

STEPS = 8
PROMPT = torch.from_numpy(tiny_ids(3, 10, seed=5)).long()


def sliced(model, groups):
    """The first so many groups of every layer, and 20 neurons."""
    adapter = adapt(model)
    for index, count in enumerate(groups):
        slice_attention(adapter, index, torch.arange(count))
        slice_ffn(adapter, index, torch.arange(20))
    return model


def shaped(model, structure):
    """A model of some structure with random values."""
    apply_structure(adapt(model), structure)
    torch.manual_seed(3)
    for parameter in model.parameters():
        parameter.data.normal_(std=0.2)
    return model.eval().requires_grad_(False)


PRUNED = {
    "dense": lambda model: model,
    "sliced": lambda model: sliced(model, (1, 2, 1)),
    "first layer without attention": lambda model: sliced(model, (0, 1, 2)),
    "low rank": lambda model: shaped(model, low_rank_structure({n: 5 for n, _ in adapt(model).prunable_linears()})),
    "rotated": lambda model: shaped(model, rotated_structure(24)),
}


@torch.no_grad()
def without_cache(model, prompt, steps):
    """Greedy tokens, every one from a forward pass over all that stands before it."""
    text = prompt
    for _ in range(steps):
        token = model(input_ids=text, use_cache=False).logits[:, -1].argmax(dim=-1, keepdim=True)
        text = torch.cat([text, token], dim=1)
    return text[:, prompt.shape[1] :]


@pytest.mark.parametrize("case", PRUNED)
def test_both_phases_generate_greedily(family, case):
    model = PRUNED[case](tiny_model(family))
    cache, logits = prefill(model, PROMPT)
    assert cache.get_seq_length() == 10
    assert torch.equal(decode(model, cache, logits, STEPS), without_cache(model, PROMPT, STEPS))
    assert cache.get_seq_length() == 10 + STEPS
    check = check_cache(model, PROMPT, STEPS, "float32", "m")
    assert (check["tokens"], check["different"]) == (3 * (STEPS + 1), 0)
    assert check["distance"] < 1e-4


def test_a_first_layer_that_does_not_count_its_tokens_is_found_out(monkeypatch):
    """The silent fault of an attention without heads: positions and masks are read off the first layer's cache."""

    def forward(self, hidden_states, past_key_values=None, **_):
        nothing = hidden_states.new_zeros(*hidden_states.shape[:-1], 0)
        return getattr(self, self.output_name)(nothing), None

    monkeypatch.setattr(ZeroAttention, "forward", forward)
    for family in ("opt", "llama"):
        model = sliced(tiny_model(family), (0, 1, 2))
        with pytest.raises(SparsitySolverError, match="m generates other tokens with a cache.*from token 2 of 9"):
            check_cache(model, PROMPT, STEPS, "float32", "m")


def test_a_cache_that_forgets_is_found_out(family, monkeypatch):
    def forgetful(model, cache, token):
        cache.layers[0].values[:, :, 3].zero_()
        return model(input_ids=token, past_key_values=cache, use_cache=True).logits[:, -1]

    monkeypatch.setattr(generation, "step", forgetful)
    with pytest.raises(SparsitySolverError, match="standard deviations apart"):
        check_cache(tiny_model(family), PROMPT, 3, "float32", "m")


def test_rounding_in_low_precision_is_allowed(family):
    for dtype in (torch.bfloat16, torch.float16):
        name = str(dtype).removeprefix("torch.")
        check = check_cache(tiny_model(family).to(dtype), PROMPT, STEPS, name, "m")
        assert 0 < check["distance"] < generation.TOLERANCES[name]


def test_logits_that_are_not_finite(family):
    model = tiny_model(family)
    model.get_output_embeddings().weight.data[7] = torch.nan
    with pytest.raises(SparsitySolverError, match="not finite. Try another dtype"):
        check_cache(model, PROMPT, STEPS, "float32", "m")
