"""Results to judge, from cells or from frames of the other files."""

import pytest
from result_factory import results_of

from sparsitysolver.reporting.claims.results import read_results


@pytest.fixture
def results(collected, tmp_path):
    """Results of a grid, read back from files."""

    def build(cells=None, grid="tiny", **frames):
        if cells is not None:
            return read_results(collected(cells).parent, grid)
        return results_of(tmp_path / "results", grid, **frames)

    return build
