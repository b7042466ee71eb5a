"""The claims file: what is shipped, what becomes of bold cells, and what is refused."""

import pytest
from result_factory import OURS_BEATS_FLAP, claim_entry

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.claims.definition import PREDICATES, load_claims


def test_shipped_claims_are_valid_and_many():
    shipped = load_claims()
    assert len({claim.key for claim in shipped}) == len(shipped)
    listed = [claim for claim in shipped if not claim.key.startswith("bold-")]
    assert len(listed) >= 40 and len(shipped) - len(listed) == 6 + 9 + 8 + 8 + 5 + 4  # bold cells of Tables 1 to 6
    assert {claim.kind for claim in shipped} == set(PREDICATES)
    assert all(len(claim.sentence) <= 130 and claim.source for claim in shipped)


def test_bold_cells_are_the_best_published_rows(claims):
    found = {claim.key: claim for claim in claims(bold=[{"table": "table3", "section": "4.1"}])}
    assert found["bold-table3-winogrande"].arguments == {
        "table": "table3",
        "method": "slicegpt",
        "column": "winogrande",
    }
    assert found["bold-table3-average"].arguments["method"] == "sparsitysolver_recon_task"
    of_models = {claim.key: claim for claim in claims(bold=[{"table": "table1", "section": "4.1"}])}
    claim = of_models["bold-table1-llama-7b@0.6"]
    assert claim.models == ("llama-7b",) and claim.arguments["sparsities"] == [0.6]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"test": OURS_BEATS_FLAP | {"kind": "beter"}},
            r"unknown predicate .*claim 'a'.* 'beter'; did you mean better",
        ),
        ({"test": OURS_BEATS_FLAP | {"worse": ["flapp"]}}, r"unknown method .*claim 'a'.* 'flapp'; did you mean flap"),
        ({"test": OURS_BEATS_FLAP | {"better": "sparsity_solver"}}, r"'sparsity_solver'; did you mean sparsitysolver"),
        ({"test": OURS_BEATS_FLAP | {"table": "tabel2"}}, r"unknown table .*claim 'a'.* 'tabel2'; did you mean table2"),
        ({"test": OURS_BEATS_FLAP | {"quantifier": "sme"}}, r"unknown quantifier .* 'sme'; did you mean some"),
        ({"test": OURS_BEATS_FLAP | {"column": "boolqq"}}, r"unknown column .* 'boolqq'; did you mean boolq"),
        ({"test": OURS_BEATS_FLAP | {"than": "flap"}}, r"unknown parameter of better .* 'than'"),
        ({"test": OURS_BEATS_FLAP | {"worse": "flap"}}, r"claim 'a': worse is 'flap'; allowed: list"),
        ({"test": OURS_BEATS_FLAP | {"sparsities": ["x"]}}, r"sparsities is \['x'\]; allowed: list\[float\] \| None"),
        (
            {"test": {"kind": "better", "table": "table2", "better": "sparsitysolver_recon"}},
            r"claim 'a': better needs 'worse'",
        ),
        ({"test": "better"}, r"claim 'a': test is 'better'; a predicate \(kind\) with its parameters"),
        ({"section": "4.7"}, r"unknown section .* '4.7'; did you mean 4.1"),
        ({"needs": "figure"}, r"claim 'a': needs is 'figure'; name the table, figure or study"),
        ({"needs": "table9"}, r"unknown table .* 'table9'"),
        ({"models": ["opt-125"]}, r"unknown model .* 'opt-125'; did you mean opt-125m"),
        ({"families": ["optt"]}, r"unknown family .* 'optt'; did you mean opt"),
        ({"negated": True}, r"claim 'a': 'better' cannot be negated; these can: curve_better, converges"),
        ({"sorce": "x"}, r"unknown field .* 'sorce'; did you mean source"),
        ({"source": ""}, r"claim 'a': 'source' is missing"),
    ],
)
def test_mistakes_in_a_claim_are_named(claims, fields, words):
    with pytest.raises(SparsitySolverError, match=words):
        claims(claim_entry(**fields))


def test_mistakes_in_the_file_are_named(claims, tmp_path):
    with pytest.raises(SparsitySolverError, match="two claims have the id 'a'"):
        claims(claim_entry(), claim_entry())
    with pytest.raises(SparsitySolverError, match="unknown table .*bold cells.* 'table22'; did you mean table2"):
        claims(bold=[{"table": "table22", "section": "4.1"}])
    with pytest.raises(SparsitySolverError, match="'claims' must be a list of entries"):
        claims("x")
    with pytest.raises(SparsitySolverError, match="no claims at"):
        load_claims(tmp_path / "none.yaml")
    (tmp_path / "broken.yaml").write_text("claims: [")
    with pytest.raises(SparsitySolverError, match="is no YAML"):
        load_claims(tmp_path / "broken.yaml")
