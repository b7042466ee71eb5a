"""Gram matrices of more channels than calibration has tokens: the model is written, and the user is told."""

import json

import numpy as np
import pytest
from commands import PRUNE
from jobs import job_for
from tiny import tiny_ids, tiny_model

from sparsitysolver.cli import main
from sparsitysolver.models.adapter import adapt
from sparsitysolver.pruning.job import GramUse, stream, widest_input
from sparsitysolver.records.seen import CALIBRATION

pytestmark = pytest.mark.filterwarnings("ignore")
SOLVING = {"svd_llm": 44, "sparsegpt": 44, "slicegpt": 32, "uniform_recon": 44}  # channels of the tiny LLaMA


WARNING = "sparsitysolver: warning: "


def pruned(place, capsys, method, *options):
    """What a prune that must work warns of, as said and as recorded; that its size is another has tests elsewhere."""
    capsys.readouterr()
    assert main([*PRUNE, "--method", method, *options]) == 0
    said = [line.removeprefix(WARNING) for line in capsys.readouterr().err.splitlines() if line.startswith(WARNING)]
    recorded = json.loads((place / "out" / "pruning.json").read_text()).get("warnings", [])
    return tuple([text for text in texts if "directions" in text] for texts in (said, recorded))


@pytest.mark.parametrize("method", SOLVING)
def test_one_window_is_warned_of_and_recorded(method, place, capsys):
    np.save(place / "ids.npy", tiny_ids(1, 16))
    said, recorded = pruned(place, capsys, method)
    assert said == recorded and len(said) == 1
    assert f"solves for up to {SOLVING[method]} directions of activations from 16 " in said[0]


@pytest.mark.parametrize("method", [*SOLVING, "flap"])
def test_enough_tokens_are_passed_over_in_silence(method, place, capsys):
    """Methods that solve nothing never warn."""
    if method == "flap":
        np.save(place / "ids.npy", tiny_ids(1, 16))
    assert pruned(place, capsys, method) == ([], [])


def test_windows_of_reconstruction_count_where_they_are_its_own(place, capsys):
    np.save(place / "few.npy", tiny_ids(1, 16))
    said, _ = pruned(place, capsys, "uniform_recon", "--reconstruction-calibration", "few.npy")
    assert "16 reconstruction tokens" in said[0]


@pytest.mark.parametrize("family", ["opt", "llama", "mistral"])
def test_the_bound_is_the_rank_of_the_gram_matrix(family):
    """So many tokens as there are channels give full rank, one fewer does not."""
    job = job_for(tiny_model(family), 0.2, tiny_ids(1, 16))
    shape = job.adapter.shape
    widths = {linear.in_features for layer in adapt(job.adapter.model).layers for linear in layer.linears.values()}
    assert widest_input(shape) == max(widths) and stream(shape) == 32
    rows = np.random.default_rng(0).standard_normal((max(widths), max(widths)))
    for tokens in (max(widths) - 1, max(widths)):
        full = np.linalg.matrix_rank(rows[:tokens].T @ rows[:tokens]) == max(widths)
        assert (GramUse(CALIBRATION, widest_input).few_tokens("X", shape, tokens) is None) == full
