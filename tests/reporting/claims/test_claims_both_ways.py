"""Every claim of the paper can hold, can fail, and says nothing of models that removed different amounts."""

import pytest
from claims_factory import results_for

from sparsitysolver.reporting.claims.definition import load_claims
from sparsitysolver.reporting.claims.table import judge_claim
from sparsitysolver.reporting.compare.verdicts import Verdict

CLAIMS = load_claims()
COMPARING = [
    claim
    for claim in CLAIMS
    if claim.test.kind == "paired" and claim.test.measure != "parameters" and claim.test.than != ("dense",)
]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.key)
@pytest.mark.parametrize("verdict", [Verdict.HOLDS, Verdict.FAILS])
def test_results_decide(claim, verdict):
    found = judge_claim(claim, results_for(claim, holds=verdict is Verdict.HOLDS))
    assert found.verdict is verdict, found
    assert found.models and found.effect is not None


@pytest.mark.parametrize("claim", COMPARING, ids=lambda claim: claim.key)
@pytest.mark.parametrize("holds", [True, False])
def test_what_removed_less_is_not_compared(claim, holds):
    found = judge_claim(claim, results_for(claim, holds, unequal=True))
    assert found.verdict is Verdict.UNEQUAL and found.effect is None
    assert "unequal sparsity: " in found.note and " and " in found.note
