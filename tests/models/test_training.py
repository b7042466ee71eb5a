"""A loaded pruned model is an ordinary one: it trains, and its gradients are those of the stock model with zeros."""

import pytest
import torch
from tiny import logits, tiny_ids, tiny_model, tiny_tokenizer
from transformers import AutoModelForCausalLM

from sparsitysolver import load_pruned
from sparsitysolver.models.adapter import adapt
from sparsitysolver.models.loading import load_model
from sparsitysolver.models.saving import save_padded, save_pruned
from sparsitysolver.models.structure import apply_structure, low_rank_structure, rotated_structure, sliced_structure

RANKS = dict.fromkeys((name for name, _ in adapt(tiny_model("llama")).prunable_linears()), 5)
STRUCTURES = {
    "sliced": sliced_structure([1, 2, 1], [7, 9, 30], (True, True)),
    "low_rank": low_rank_structure(RANKS),
    "rotated": rotated_structure(20),
}


def saved(structure, folder):
    """A folder of a LLaMA of that structure with random values."""
    model = tiny_model("llama")
    apply_structure(adapt(model), structure)
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.2)
    save_pruned(model, tiny_tokenizer(), structure, folder)
    return str(folder)


def loss_of(model):
    ids = torch.from_numpy(tiny_ids(seed=99)).long()
    return model(ids, labels=ids, use_cache=False).loss


@pytest.mark.parametrize("kind", STRUCTURES)
def test_steps_of_fine_tuning_move_every_parameter(kind, tmp_path):
    model = load_pruned(saved(STRUCTURES[kind], tmp_path / "m"), device="cpu")
    before = [parameter.detach().clone() for parameter in model.parameters()]
    optimiser = torch.optim.SGD(model.train().parameters(), lr=0.05)
    losses = []
    for _ in range(5):
        losses.append(loss_of(model))
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < losses[0]
    assert not any(torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True))
    model.eval().save_pretrained(tmp_path / "tuned")
    tiny_tokenizer().save_pretrained(tmp_path / "tuned")
    assert torch.equal(logits(load_pruned(tmp_path / "tuned", device="cpu")), logits(model))


def test_gradients_are_those_of_the_padded_model(tmp_path):
    folder = saved(STRUCTURES["sliced"], tmp_path / "m")
    loaded = load_model(folder, device="cpu").model
    assert not any(parameter.requires_grad for parameter in loaded.parameters())  # commands need no gradients
    save_padded(loaded, tiny_tokenizer(), tmp_path / "padded")
    pruned = load_pruned(folder, device="cpu")
    stock = AutoModelForCausalLM.from_pretrained(tmp_path / "padded", dtype=torch.float32)
    for model in (pruned, stock):
        loss_of(model).backward()
    wide = dict(stock.named_parameters())
    for name, parameter in pruned.named_parameters():
        kept = tuple(slice(size) for size in parameter.shape)
        assert torch.allclose(parameter.grad, wide[name].grad[kept], atol=1e-5), name
