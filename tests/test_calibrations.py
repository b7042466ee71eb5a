"""What methods calibrate on and regress on by hand: their rows' columns, and what the command line overrides."""

from argparse import Namespace
from dataclasses import replace

import pytest
from tiny import tiny_folder

from sparsitysolver.config.assets import Assets
from sparsitysolver.config.registry import method
from sparsitysolver.data.sampling import Calibration
from sparsitysolver.models.loading import load_model
from sparsitysolver.stages.common import reconstruction_calibration

CONTEXT = 64  # of the tiny models


def regressed_on(key, **given):
    """The windows that a method's reconstruction or update regresses on."""
    options = {"calibration": None, "nsamples": None, "seqlen": None, "seed": 0, "reconstruction_calibration": None}
    args, row = Namespace(**options | given), method(key)
    loaded = load_model(str(tiny_folder()), device="cpu", assets=Assets(None))
    return reconstruction_calibration(args, row, loaded)


UPDATE = Calibration("wikitext2", "svd_llm_update", 16, CONTEXT, 0)


@pytest.mark.parametrize(
    ("key", "given", "expected"),
    [
        ("uniform_recon", {}, Calibration("wikitext2", "gptq", 32, CONTEXT, 0)),
        ("uniform_recon", {"seed": 4, "nsamples": 8}, Calibration("wikitext2", "gptq", 8, CONTEXT, 4)),
        ("sparsitysolver_recon_c4", {}, Calibration("c4", "gptq", 32, CONTEXT, 0)),
        ("svd_llm_update", {}, UPDATE),  # whitened on 256 windows by another sampler and seed 3
        ("svd_llm_update", {"seed": 4, "nsamples": 8}, replace(UPDATE, seed=4, nsamples=8)),
        ("svd_llm_update", {"calibration": "c4"}, replace(UPDATE, source="c4")),
        ("svd_llm_update", {"calibration": "ids.npy"}, replace(UPDATE, source="ids.npy")),
    ],
)
def test_a_row_regresses_on_its_own_drawing(key, given, expected):
    assert regressed_on(key, **given) == expected
