"""The claims file: what is shipped, what becomes of bold cells, and what is refused."""

import pytest
from result_factory import OURS_BEATS_FLAP, claim_entry

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.claims.definition import KINDS, load_claims


def test_shipped_claims_are_valid_and_many():
    shipped = load_claims()
    assert len({claim.key for claim in shipped}) == len(shipped)
    listed = [claim for claim in shipped if not claim.key.startswith("bold-")]
    assert len(listed) >= 40 and len(shipped) - len(listed) == 6 + 9 + 8 + 8 + 5 + 4  # bold cells of Tables 1 to 6
    measures = {(kind, measure) for kind, model in KINDS.items() for measure in model.measures}
    assert {(claim.test.kind, claim.test.measure) for claim in shipped} == measures
    assert all(len(claim.sentence) <= 130 and claim.source for claim in shipped)


def test_bold_cells_are_the_best_published_rows(claims):
    found = {claim.key: claim for claim in claims(bold=[{"table": "table3", "section": "4.1"}])}
    test = found["bold-table3-winogrande"].test
    assert (test.kind, test.measure, test.table, test.column) == ("paired", "quality", "table3", "winogrande")
    assert test.method == "slicegpt" and "flap" in test.rivals and "dense" not in test.rivals
    assert found["bold-table3-average"].test.method == "sparsitysolver_recon_task"
    of_models = {claim.key: claim for claim in claims(bold=[{"table": "table1", "section": "4.1"}])}
    claim = of_models["bold-table1-llama-7b@0.6"]
    assert claim.models == ("llama-7b",) and claim.test.sparsities == (0.6,)


DECODE = {"kind": "paired", "measure": "decode", "method": "flap", "sparsity": 0.2}
SOONER = {"kind": "runs", "measure": "sooner", "method": "ppo", "than": "amc"}


def changed(**fields):
    """The test of a claim, changed; a field of None is left out."""
    return {"test": {name: value for name, value in (OURS_BEATS_FLAP | fields).items() if value is not None}}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (changed(kind="pared"), r"claim 'a'.* unknown kind of test 'pared'; did you mean paired"),
        (changed(kind=None), r"claim 'a'.* unknown kind of test ''. Allowed: monotone, paired, runs, within"),
        (changed(measure="qualty"), r"claim 'a'.* unknown measure of kind 'paired' 'qualty'; did you mean quality"),
        (changed(than=["flapp"]), r"claim 'a'.* unknown method 'flapp'; did you mean flap"),
        (changed(method="sparsity_solver"), r"claim 'a'.* 'sparsity_solver'; did you mean sparsitysolver"),
        (changed(table="tabel2", needs="table2"), r"claim 'a'.* unknown field .*'needs'"),
        ({"needs": "table2"} | changed(table="tabel2"), r"claim 'a'.* unknown table 'tabel2'; did you mean table2"),
        (changed(quantifier="sme"), r"claim 'a'.* unknown quantifier .*'sme'; did you mean some"),
        (changed(column="boolqq"), r"claim 'a'.* unknown column 'boolqq'; did you mean boolq"),
        (changed(colum="boolq"), r"claim 'a'.* unknown field .* 'colum'; did you mean column"),
        (changed(sparsity=0.2), r"claim 'a'.* unknown parameter of quality 'sparsity'; did you mean sparsities"),
        (changed(than="flap"), r"claim 'a'.*than.* should be a valid (list|tuple).*found 'flap'"),
        (changed(sparsities=["x"]), r"claim 'a'.*sparsities.*entry 1.* should be a valid number.* found 'x'"),
        (changed(than=None), r"claim 'a'.*: 'than' is missing; needed: .*method, than"),
        ({"needs": "table2"} | changed(table=None), r"claim 'a'.*: quality needs 'table'"),
        (
            {"needs": "table2"} | changed(measure="decode", table=None, sparsity=0.2, than="others"),
            r"claim 'a'.* name the table, or",
        ),
        ({"test": SOONER | {"than": None}}, r"claim 'a'.*: sooner needs 'than'"),
        ({"test": SOONER | {"by": 100}}, r"claim 'a'.*: unknown parameter of sooner 'by'"),
        ({"test": "better", "needs": "table2"}, r"claim 'a'.*a kind of test with its measure and parameters"),
        ({"section": "4.7"}, r"unknown section .*claim 'a'.* '4.7'; did you mean 4.1"),
        ({"needs": "figure"}, r"claim 'a'.*needs.* name the table, figure or study .*found 'figure'"),
        ({"needs": "table9"}, r"claim 'a'.* unknown table 'table9'"),
        ({"models": ["opt-125"]}, r"claim 'a'.* unknown model 'opt-125'; did you mean opt-125m"),
        ({"families": ["optt"]}, r"claim 'a'.* unknown family 'optt'; did you mean opt"),
        ({"negated": True}, r"claim 'a': a claim of kind 'paired' cannot be negated; those of 'runs' can"),
        ({"sorce": "x"}, r"unknown field .*claim 'a'.* 'sorce'; did you mean source"),
        ({"source": ""}, r"claim 'a'.*source.* at least 1 character"),
        ({"source": None}, r"claim 'a', source: should be a valid string; found None"),
    ],
)
def test_mistakes_in_a_claim_are_named(claims, fields, words):
    with pytest.raises(SparsitySolverError, match=words):
        claims(claim_entry(**fields))


def test_mistakes_in_the_file_are_named(claims, tmp_path):
    with pytest.raises(SparsitySolverError, match="two claims have the id 'a'"):
        claims(claim_entry(), claim_entry())
    with pytest.raises(SparsitySolverError, match="unknown table 'table22'; did you mean table2"):
        claims(bold=[{"table": "table22", "section": "4.1"}])
    with pytest.raises(SparsitySolverError, match="claims.*entry 1.* should be a valid mapping; found 'x'"):
        claims("x")
    with pytest.raises(SparsitySolverError, match="no claims at"):
        load_claims(tmp_path / "none.yaml")
    (tmp_path / "broken.yaml").write_text("claims: [")
    with pytest.raises(SparsitySolverError, match="broken.yaml is no YAML"):
        load_claims(tmp_path / "broken.yaml")
