"""What every row of config/methods.tsv must do, on a tiny model of every family."""

from importlib import import_module

import numpy as np
import pytest
import torch
from jobs import job_for, run_row
from tiny import FAMILIES, logits, tiny_ids, tiny_model, tiny_tokenizer

from sparsitysolver.config.registry import method, methods_table
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.size import measure_size
from sparsitysolver.models.loading import load_model
from sparsitysolver.models.saving import save_pruned

SPARSITY = 0.25
# Tiny layers are coarse: a group is 5% of the prunable weights, and ranks round down by up to 6%.
BANDS = {"structured": (-0.03, 0.03), "low_rank": (0.0, 0.08), "unstructured": (-0.03, 0.03)}
# BESA's target is a penalty, not a constraint, and these layers see 12 steps from 0.5 on, of which the recipe with the
# smallest step size makes little; its exact variant gets no such room.
OWN_BANDS = {"besa": (-0.06, 0.06), "besa_row": (-0.06, 0.06), "besa_own": (0, 0.25), "besa_exact": (-1e-3, 1e-3)}
METHODS = methods_table()


@pytest.mark.parametrize("row", METHODS.values(), ids=METHODS)
def test_files_have_what_the_contract_asks(row):
    for name, verb in ((row.allocator, "allocate"), (row.pruner, "prune")):
        if name:
            module = import_module(f"baselines.{name}")
            assert module.NAME and module.REFERENCE
            assert callable(getattr(module, verb))


@pytest.mark.parametrize("model_family", FAMILIES)
@pytest.mark.parametrize("row", METHODS.values(), ids=METHODS)
def test_method_prunes_saves_and_loads(row, model_family, tmp_path):
    model, ids = tiny_model(model_family), tiny_ids(12, 16, seed=1)
    before = ids.copy()
    dense = logits(model)
    job, kept, outcome = run_row(row, model, SPARSITY, ids)

    assert np.array_equal(ids, before)
    if kept is not None:
        assert all(0 <= count <= unit.size for count, unit in zip(kept, job.units, strict=True))
    pruned = logits(model)
    assert pruned.isfinite().all()
    if row.key != "dense":
        assert not torch.equal(pruned, dense)
        achieved = measure_size(job.adapter).sparsity
        low, high = OWN_BANDS.get(row.key) or BANDS.get(row.granularity, (-SPARSITY, 1.0))
        assert SPARSITY + low <= achieved <= SPARSITY + high
        if not job.whole:  # the sparsity itself, but for the weight at the threshold of every matrix or block
            assert SPARSITY <= achieved <= SPARSITY + 2 * len(job.units) / sum(unit.weights for unit in job.units)

    save_pruned(model, tiny_tokenizer(), outcome.structure, tmp_path / "pruned")
    loaded = load_model(str(tmp_path / "pruned"), device="cpu")
    assert torch.equal(logits(loaded.model), pruned)
    assert measure_size(loaded.adapter) == measure_size(job.adapter)


@pytest.mark.parametrize("row", [row for row in METHODS.values() if row.pruner != "dense"], ids=lambda row: row.key)
def test_methods_are_deterministic(row):
    results = []
    for _ in range(2):
        model = tiny_model("mistral")
        run_row(row, model, SPARSITY, tiny_ids(12, 16, seed=1))
        results.append(logits(model))
    assert torch.equal(*results)


@pytest.mark.parametrize("row", [row for row in METHODS.values() if row.pruner != "dense"], ids=lambda row: row.key)
def test_half_precision_models_stay_half_and_close(row):
    """Statistics and solves are wider than the weights: rounding the model to bfloat16 changes its pruning little."""
    results = []
    for dtype in (torch.float32, torch.bfloat16):
        model = tiny_model("opt")
        for parameter in model.parameters():
            parameter.data = parameter.data.bfloat16().to(dtype)
        run_row(row, model, SPARSITY, tiny_ids(12, 16, seed=1))
        assert {parameter.dtype for parameter in model.parameters()} == {dtype}
        results.append(logits(model).float())
    wide, narrow = results
    assert torch.nn.functional.cosine_similarity(wide.flatten(), narrow.flatten(), dim=0) > 0.9


def test_an_unknown_method_names_near_ones():
    with pytest.raises(SparsitySolverError, match=r"unknown method 'slicegtp'; did you mean slicegpt"):
        method("slicegtp")


def test_a_strategy_is_asked_for():
    with pytest.raises(SparsitySolverError, match="give --strategy FILE or search options"):
        import_module("baselines.sparsitysolver").allocate(job_for(tiny_model("opt")))
