"""SVD-LLM: exact at full rank, the whitened truncation loss, the update as a least-squares solution."""

import pytest
import torch
from jobs import gram_moments, job_for
from tiny import assert_generates_alike, logits, tiny_ids, tiny_model

from baselines import svd_llm
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.size import measure_size
from sparsitysolver.models.adapter import adapt
from sparsitysolver.models.structure import LowRankLinear
from sparsitysolver.pruning.whitening import kept_rank, low_rank_factors, updated_factor, whitener
from sparsitysolver.statistics.collect import recording


@pytest.fixture
def problem():
    """A weight (6, 9) and correlated inputs (200, 9), float64."""
    torch.manual_seed(0)
    weight = torch.randn(6, 9, dtype=torch.double)
    return weight, torch.randn(200, 9, dtype=torch.double) @ torch.randn(9, 9, dtype=torch.double)


def output_loss(weight, up, down, inputs):
    return (inputs @ (weight - up @ down).T).square().sum()


@pytest.mark.parametrize(
    ("rows", "columns", "rank"), [(4096, 4096, 1638), (11008, 4096, 2388), (1024, 4096, 655), (4, 4, 1)]
)
def test_ranks_of_known_sizes(rows, columns, rank):
    assert kept_rank(rows, columns, 0.2) == rank


def test_whitener_is_a_lower_root(problem):
    """Also of a singular Gram matrix, which falls back, and of none at all."""
    gram = problem[1].T @ problem[1]
    root = whitener(gram)
    assert torch.allclose(root @ root.T, gram) and torch.equal(root, root.tril())
    inputs = problem[1].clone()
    inputs[:, 3], inputs[:, 5] = inputs[:, 2], 0
    gram = inputs.T @ inputs
    root = whitener(gram)
    assert torch.allclose(root @ root.T, gram, atol=1e-4)
    assert output_loss(problem[0], *low_rank_factors(problem[0], whitener(gram), 6), inputs) < 1e-6
    assert all(factor.isfinite().all() for factor in low_rank_factors(problem[0], whitener(torch.zeros(9, 9)), 3))
    with pytest.raises(SparsitySolverError, match="non-finite"):
        whitener(torch.full((3, 3), float("nan")))


@pytest.mark.parametrize("rank", [1, 3, 5])
def test_factors_match_the_formula_and_lose_the_dropped_squares(problem, rank):
    weight, inputs = problem
    gram = inputs.T @ inputs
    root = whitener(gram)
    left, values, right = torch.linalg.svd(weight @ root, full_matrices=False)
    up, down = low_rank_factors(weight, whitener(gram), rank)
    product = (left[:, :rank] * values[:rank]) @ right[:rank] @ torch.linalg.inv(root)
    assert torch.allclose(up @ down, product, rtol=1e-4, atol=1e-4)
    assert torch.allclose(up.square().sum(dim=0), values[:rank], rtol=1e-4)  # both factors share the scale
    assert output_loss(weight, up, down, inputs) == pytest.approx(float(values[rank:].square().sum()), rel=1e-4)


def test_update_is_the_least_squares_solution(problem):
    weight, inputs = problem
    up, down = low_rank_factors(weight, whitener(inputs.T @ inputs), 3)
    torch.manual_seed(1)
    drifted = inputs + 0.5 * torch.randn_like(inputs)
    new = updated_factor(weight, down, drifted.T @ drifted)
    solution = torch.linalg.lstsq(drifted @ down.T, drifted @ weight.T).solution.T
    assert torch.allclose(new, solution, atol=1e-6)
    assert output_loss(weight, new, down, drifted) < output_loss(weight, up, down, drifted)
    # on the inputs whitened for it changes nothing
    assert torch.allclose(updated_factor(weight, down, inputs.T @ inputs), up, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("update", ["yes", "no"])
def test_full_rank_equals_the_dense_model(family, update, monkeypatch):
    monkeypatch.setattr(svd_llm, "kept_rank", lambda rows, columns, sparsity: min(rows, columns))
    model = tiny_model(family)
    dense = logits(model)
    svd_llm.prune(job_for(model, options={"update": update}), None)
    # On the calibration windows the update may fit; outside them a rank-deficient input leaves it free.
    bound = 1e-3 if update == "yes" else 1e-4
    assert (logits(model) - dense).abs().max() <= bound


@pytest.mark.parametrize("update", ["yes", "no"])
def test_pruned_model_is_low_rank_and_generates(family, update):
    model = tiny_model(family)
    job = job_for(model, 0.25, options={"update": update})
    structure = svd_llm.prune(job, None).structure
    linears = dict(job.adapter.prunable_linears())
    assert all(isinstance(linear, LowRankLinear) for linear in linears.values())
    assert structure["ranks"] == {name: linear.down.out_features for name, linear in linears.items()}
    assert 0.25 <= measure_size(job.adapter).sparsity < 0.32  # ranks round down
    assert_generates_alike(model)


def test_whitening_reads_the_dense_model(family):
    """The last layer's factors are those of its own dense inputs, whatever became of the layers before."""
    model, reference = tiny_model(family), tiny_model(family)
    job, adapter = job_for(model), adapt(reference)
    svd_llm.prune(job, None)
    gram = gram_moments(adapter, job.ids())["layers.2.ffn_output"].gram
    weight = adapter.layers[2].ffn_output.weight
    up, down = low_rank_factors(weight, whitener(gram), kept_rank(*weight.shape, 0.25))
    found = job.adapter.layers[2].ffn_output
    assert torch.allclose(found.up.weight @ found.down.weight, up @ down, atol=1e-4)


def test_update_lowers_the_loss_of_every_linear_on_its_compressed_inputs(family, monkeypatch):
    """Least squares per linear; the end-to-end error is not what it minimises, and may rise."""
    calls = []

    def watched(weight, down, gram):
        up = updated_factor(weight, down, gram)
        calls.append((weight.double(), up.double(), down.double(), gram))
        return up

    monkeypatch.setattr(svd_llm, "updated_factor", watched)
    job = job_for(tiny_model(family), 0.4, ids=tiny_ids(20, 16, seed=1), options={"update": "yes"})
    svd_llm.prune(job, None)
    plain = job_for(tiny_model(family), 0.4, ids=tiny_ids(20, 16, seed=1))
    svd_llm.prune(plain, None)
    factors = [linear for _, linear in plain.adapter.prunable_linears()]
    assert len(calls) == len(factors)
    for (weight, up, down, gram), whitened in zip(calls, factors, strict=True):
        assert torch.equal(down, whitened.down.weight.double())
        losses = [
            ((weight - u @ down) @ gram @ (weight - u @ down).T).trace() for u in (up, whitened.up.weight.double())
        ]
        assert losses[0] <= losses[1] * (1 + 1e-6)


def test_update_sees_16_windows_of_its_own_in_dense_layers_on_the_compressed_prefix(family, monkeypatch):
    """One pass a layer: what a linear is fitted on does not know the compressed linears before it in the same layer."""
    grams, ids, own = [], tiny_ids(20, 16, seed=1), tiny_ids(20, 16, seed=2)
    monkeypatch.setattr(svd_llm, "updated_factor", lambda w, d, gram: grams.append(gram) or updated_factor(w, d, gram))
    job = job_for(tiny_model(family), 0.4, ids=ids, options={"update": "yes"}, reconstruction_ids=lambda: own)
    svd_llm.prune(job, None)
    for index in (0, 2):
        mixed = adapt(tiny_model(family))
        for before in range(index):
            for role, linear in job.adapter.layers[before].linears.items():
                mixed.replace(mixed.layer_modules[before], role, linear)
        linears = mixed.layers[index].linears
        with recording(linears, gram=True) as moments:
            mixed.hidden_states(torch.from_numpy(own[:16]).long())
        for place, role in enumerate(linears):
            found = grams[index * len(linears) + place]
            assert torch.allclose(moments[role].gram, found, rtol=1e-4, atol=1e-3)


def test_rank_0_is_skipped(family):
    assert svd_llm.skip(job_for(tiny_model(family), 0.25)) is None
    assert "no rank left" in svd_llm.skip(job_for(tiny_model(family), 0.96))
