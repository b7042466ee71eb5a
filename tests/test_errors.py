"""Failed look-ups name the kind, near names and everything allowed."""

from sparsitysolver.errors import SparsitySolverError, unknown_name


def test_near_names_come_first():
    error = unknown_name("method", "wandda", ["slicegpt", "wanda", "flap", "wanda_sp"])
    assert isinstance(error, SparsitySolverError)
    assert str(error) == (
        "unknown method 'wandda'; did you mean wanda or wanda_sp? Allowed: flap, slicegpt, wanda, wanda_sp."
    )


def test_without_near_names():
    assert str(unknown_name("grid", "xyz", ["tiny"])) == "unknown grid 'xyz'. Allowed: tiny."


def test_nothing_allowed():
    assert str(unknown_name("grid", "x", [])).endswith("Allowed: none.")
