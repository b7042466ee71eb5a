"""Every claim of the paper can hold, can fail, and says nothing of models that removed different amounts."""

import pytest
from claims_factory import results_for

from sparsitysolver.reporting.claims.definition import load_claims
from sparsitysolver.reporting.claims.rules import ClaimVerdict
from sparsitysolver.reporting.claims.table import judge_claim

CLAIMS = load_claims()
COMPARING = [
    claim
    for claim in CLAIMS
    if claim.kind in ("better", "best_of") or (claim.kind == "faster_inference" and "than" in claim.arguments)
]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.key)
@pytest.mark.parametrize("verdict", [ClaimVerdict.HOLDS, ClaimVerdict.FAILS])
def test_results_decide(claim, verdict):
    found = judge_claim(claim, results_for(claim, holds=verdict is ClaimVerdict.HOLDS))
    assert found.verdict is verdict, found
    assert found.models and found.effect is not None


@pytest.mark.parametrize("claim", COMPARING, ids=lambda claim: claim.key)
@pytest.mark.parametrize("holds", [True, False])
def test_what_removed_less_is_not_compared(claim, holds):
    found = judge_claim(claim, results_for(claim, holds, unequal=True))
    assert found.verdict is ClaimVerdict.UNEQUAL and found.effect is None
    assert "unequal sparsity: " in found.note and " and " in found.note
