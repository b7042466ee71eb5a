"""Which versions the cells of a table differ in."""

import pytest
from sparsitysolver.reporting.collected.versions import differing_versions


@pytest.mark.parametrize(
    ("versions", "told"),
    [
        (["torch 2.13.0; python 3.11.7"] * 3, ""),
        (["torch 2.13.0; python 3.11.7", "torch 2.13.0; python 3.12.1"], ""),  # says nothing of the numbers
        (
            ["torch 2.12.0; transformers 5.1", "torch 2.13.0; transformers 5.1", "torch 2.13.0; transformers 5.1"],
            "torch 2.12.0 (1 cell) and 2.13.0 (2 cells)",
        ),
        (
            ["torch 2.13.0", "torch 2.13.0; lm-eval 0.4.9"],
            "lm-eval 0.4.9 (1 cell) and unrecorded (1 cell)",
        ),
    ],
)
def test_differing_versions(versions, told):
    assert differing_versions(versions) == told
