"""What counts as a candidate in a reply."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from sparsitysolver.chat.proposals import Counts, Form, last_array, read_reply

PLAIN, CROSS, MUTATE = Form(3, 0.0, 0.5), Form(3, 0.0, 0.5, 2, 4), Form(3, 0.0, 0.5, 1, 4)
GOOD = [0.1, 0.2, 0.3]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[[1, 2], [3]]", [[1, 2], [3]]),
        ("```json\n[[1],\n [2]]\n```", [[1], [2]]),
        ("<think>[[9]]</think> by [1, 2]: [[1]] [see above]", [[1]]),
        ('{"candidates": [[1]]}', [[1]]),
        ('[{"rates": [1]}]', [{"rates": [1]}]),
        ("[[1, 2], [3", None),
        ("[1, 2]", None),
        ("[]", None),
        ("[[1], 2]", None),
        ("", None),
        ("none", None),
        ("[" * 100_000, None),
        ("[0," * 100_000, None),
        ("[" + "9" * 5000 + "]", None),
    ],
)
def test_the_last_array_of_candidates(text, found):
    assert last_array(text) == found


def read(items, form=PLAIN):
    counts = Counts()
    found, refused = read_reply(items if isinstance(items, str) else json.dumps(items), form, counts)
    faults = {name: value for name, value in asdict(counts).items() if value and name not in ("replies", "proposed")}
    return found, refused, faults


NO_NUMBER, NO_SHARE = "candidate 1: a rate that is no number", "candidate 1: a rate that is no share between 0 and 1"


@pytest.mark.parametrize(
    ("item", "form", "fault", "reason"),
    [
        (GOOD[:2], PLAIN, "wrong_length", "candidate 1: 2 rates, 3 are needed"),
        ({"rates": GOOD}, PLAIN, "wrong_length", "candidate 1: no rates, 3 are needed"),
        *(([0.1, bad, 0.2], PLAIN, "not_a_number", NO_NUMBER) for bad in (float("nan"), "0.2", True, None)),
        *(([0.1, bad, 0.2], PLAIN, "out_of_range", NO_SHARE) for bad in (20, -0.1, float("inf"), 10**400)),
        (GOOD, CROSS, "wrong_parents", 'candidate 1: "parents" must hold 2 different indices from 0 to 3'),
        ({"rates": GOOD}, MUTATE, "wrong_parents", 'candidate 1: "parents" must hold 1 index from 0 to 3'),
        *(
            ({"parents": parents, "rates": GOOD}, CROSS, "wrong_parents", "2 different indices from 0 to 3")
            for parents in ([0, 0], [0, 4], [0, -1], [0, 1.0], [False, 1], [0, 1, 1], [0, [1]])
        ),
        ({"parents": 1, "rates": GOOD}, MUTATE, "wrong_parents", "from 0 to 3"),
        ({"parents": [1]}, MUTATE, "wrong_length", "no rates"),
    ],
)
def test_what_is_refused_and_why(item, form, fault, reason):
    good = {"parents": [3, 0][: form.parents], "rates": GOOD} if form.parents else GOOD
    found, refused, faults = read([good, item, good], form)
    assert faults == {fault: 1}
    assert list(found) == [0, 2]
    assert len(refused) == 1 and reason in refused[0]


def test_rates_beyond_the_bounds_are_clipped():
    found, refused, faults = read([[0.6, 0.2, 0], [0.5000001, -0.0000001, 0]])
    assert faults == {"out_of_range": 1} and refused == []
    assert [clipped for _, clipped in found.values()] == [True, False]
    assert [rates.tolist() for rates, _ in found.values()] == [[0.5, 0.2, 0], [0.5, 0, 0]]


@pytest.mark.parametrize(("form", "kind"), [(PLAIN, "arrays"), (MUTATE, "objects")])
def test_a_reply_without_candidates(form, kind):
    found, refused, faults = read("I cannot help with that.", form)
    assert faults == {"malformed": 1} and found == {}
    assert refused == [f"it holds no JSON array of {kind}"]


def test_good_candidates():
    found, refused, faults = read([{"parents": [3, 0], "rates": GOOD}], CROSS)
    assert faults == {} and np.array_equal(found[0][0], GOOD)
