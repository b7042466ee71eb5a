"""Seeds are derived from the axes that name a draw."""

from sparsitysolver.seeds import SEED_LIMIT, derive_seed


def test_seeds_are_the_same_everywhere():
    assert derive_seed("search", "opt-125m", "sparsitysolver", "0.2", 0) == 588922503
    assert derive_seed("a", 1) == derive_seed("a", "1")


def test_every_axis_counts():
    axes = ("search", "opt-125m", "sparsitysolver", "0.2", 0)
    others = [derive_seed(*axes[:i], "other", *axes[i + 1 :]) for i in range(len(axes))]
    assert len({derive_seed(*axes), *others}) == len(axes) + 1


def test_axes_do_not_run_together():
    assert derive_seed("ab", "c") != derive_seed("a", "bc")


def test_seeds_suit_every_generator():
    seeds = [derive_seed("x", index) for index in range(1000)]
    assert all(0 <= seed < SEED_LIMIT for seed in seeds)
    assert len(set(seeds)) == 1000
