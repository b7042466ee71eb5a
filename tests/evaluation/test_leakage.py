"""Leakage flags from what a model has seen: true, false, or not known."""

import pytest

from sparsitysolver.data.items import Items
from sparsitysolver.data.sources import Text
from sparsitysolver.evaluation.cells import perplexity_leakage
from sparsitysolver.evaluation.zero_shot import zero_shot_leakage
from sparsitysolver.records.seen import (
    CALIBRATION,
    RECONSTRUCTION,
    REWARD,
    seen,
    seen_by,
    seen_of_sample,
    union,
    unknown,
)

TEXT = Text("wikitext2", "test", ("the reported text",), "r", "here")
ITEMS = Items("piqa", "piqa", ({"question": "w3"},), "piqa", "r", "report", "here")
SHA = "0" * 64
# Role, source, part and hash of what was seen, or (role,) where that is not known; flags: domain, split, task.
PERPLEXITY = {
    "nothing": ([], (False, False, False)),
    "other text": ([(CALIBRATION, "c4", "train", SHA)], (False, False, False)),
    "same data set": ([(CALIBRATION, "wikitext2", "train", SHA)], (True, False, False)),
    "reconstructed": ([(RECONSTRUCTION, "wikitext2", "train", SHA)], (True, False, False)),
    "same text of another name": ([(CALIBRATION, "x.txt", "file", TEXT.sha256)], (True, False, False)),
    "searched beside it": ([(REWARD, "wikitext2", "validation", SHA)], (False, False, False)),
    "searched on it": ([(REWARD, "x.txt", "file", TEXT.sha256)], (False, True, False)),
    "searched on a task": ([(REWARD, "piqa", "report", SHA)], (False, False, False)),
    "unknown": ([()], (None, None, False)),
    "unknown windows": ([(CALIBRATION,)], (None, False, False)),
    "unknown, and one that leaks": ([(), (REWARD, "wikitext2", "test", TEXT.sha256)], (None, True, False)),
}
ZERO_SHOT = {
    "nothing": ([], (False, False, False)),
    "other text": ([(CALIBRATION, "c4", "train", SHA)], (False, False, False)),
    "other task": ([(REWARD, "boolq", "report", SHA)], (False, False, False)),
    "other part": ([(REWARD, "piqa", "search", SHA)], (False, False, True)),
    "reported part": ([(REWARD, "piqa", "report", SHA)], (False, True, True)),
    "all": ([(REWARD, "piqa", "all", SHA)], (False, True, True)),
    "same items": ([(REWARD, "piqa", "search", ITEMS.sha256)], (False, True, True)),
    "calibrated": ([(CALIBRATION, "piqa", "search", SHA)], (True, False, True)),
    "reconstructed": ([(RECONSTRUCTION, "piqa", "report", SHA)], (True, True, True)),
    "unknown": ([()], (None, None, None)),
    "unknown windows": ([(CALIBRATION,)], (None, None, None)),
    "unknown, and one that leaks": ([(), (REWARD, "piqa", "all", SHA)], (None, True, True)),
}
CASES = [(perplexity_leakage, TEXT, *case) for case in PERPLEXITY.values()]
CASES += [(zero_shot_leakage, ITEMS, *case) for case in ZERO_SHOT.values()]


@pytest.mark.parametrize(("judge", "data", "entries", "flags"), CASES, ids=[*PERPLEXITY, *ZERO_SHOT])
def test_flags(judge, data, entries, flags):
    found = judge(data, [seen(*entry) if len(entry) == 4 else unknown(*entry) for entry in entries])
    assert found == dict(zip(("calibrated_on_eval_domain", "searched_on_reported_split", "saw_task"), flags))


def test_a_part_that_holds_the_searched_one_leaks():
    whole = Items("piqa", "piqa", ITEMS.records * 2, "piqa", "r", "all", "here")
    assert zero_shot_leakage(whole, [seen(REWARD, "piqa", "search", SHA)])["searched_on_reported_split"]


def test_windows_say_where_they_come_from_or_nothing():
    drawn = {"source": "c4", "split": "train", "text_sha256": SHA, "sampler": "gptq", "sha256": "of the ids"}
    assert seen_of_sample(CALIBRATION, drawn) == seen(CALIBRATION, "c4", "train", SHA)
    assert seen_of_sample(CALIBRATION, {"source": "ids.npy", "sampler": "file"}) == unknown(CALIBRATION)
    assert seen_by({"found": {}}) == [unknown()] and seen_by({"seen": []}) == []


def test_a_union_holds_every_entry_once():
    one, other = seen(REWARD, "mini", "test", SHA), seen(CALIBRATION, "mini", "train", SHA)
    assert union([one, other], [other], []) == union([other], [one]) and len(union([one], [one, other])) == 2
