"""Running sums against numpy over all tokens at once."""

import numpy as np
import pytest
import torch

from sparsitysolver.statistics.collect import Moments

X = np.random.default_rng(0).normal(3.0, 2.0, size=(4, 11, 5))
FLAT = X.reshape(-1, 5)


def moments_in_parts(gram=False):
    moments = Moments(want_gram=gram)
    for part in (X[:1], X[1:3], X[3:]):
        moments.add(torch.from_numpy(part))
    return moments


def test_sums_over_parts_are_those_of_the_whole():
    moments = moments_in_parts(gram=True)
    assert moments.tokens == 44
    assert np.allclose(moments.total, FLAT.sum(axis=0))
    assert np.allclose(moments.squares, (FLAT**2).sum(axis=0))
    assert np.allclose(moments.gram, FLAT.T @ FLAT)
    assert np.allclose(moments.norm, np.linalg.norm(FLAT, axis=0))
    assert np.allclose(moments.mean, FLAT.mean(axis=0))
    assert np.allclose(moments.variance, FLAT.var(axis=0, ddof=1))


def test_no_gram_unless_asked_for():
    assert moments_in_parts().gram is None
    assert moments_in_parts(gram=True).cpu().gram is None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_sums_are_kept_in_double_precision(dtype):
    """10,000 ones and a float16 sum would stop at 2048; squares of 300 would overflow it."""
    moments = Moments(want_gram=True)
    moments.add(torch.full((10_000, 1), 300.0, dtype=dtype))
    value = float(torch.tensor(300.0, dtype=dtype))
    assert moments.total.item() == 10_000 * value
    assert moments.squares.item() == moments.gram.item() == 10_000 * value**2


def test_variance_of_a_constant_or_a_single_token_is_zero():
    for tokens in (1, 50):
        moments = Moments()
        moments.add(torch.full((tokens, 2), 0.1, dtype=torch.float64))
        assert moments.variance.tolist() == pytest.approx([0, 0], abs=1e-12)
        assert (moments.variance >= 0).all()
