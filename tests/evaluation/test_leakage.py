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


def flags(domain, searched, task):
    return {"calibrated_on_eval_domain": domain, "searched_on_reported_split": searched, "saw_task": task}


PERPLEXITY = {
    "nothing": ([], flags(False, False, False)),
    "other text": ([seen(CALIBRATION, "c4", "train", SHA)], flags(False, False, False)),
    "same data set": ([seen(CALIBRATION, "wikitext2", "train", SHA)], flags(True, False, False)),
    "reconstructed": ([seen(RECONSTRUCTION, "wikitext2", "train", SHA)], flags(True, False, False)),
    "same text of another name": ([seen(CALIBRATION, "x.txt", "file", TEXT.sha256)], flags(True, False, False)),
    "searched beside it": ([seen(REWARD, "wikitext2", "validation", SHA)], flags(False, False, False)),
    "searched on it": ([seen(REWARD, "x.txt", "file", TEXT.sha256)], flags(False, True, False)),
    "searched on a task": ([seen(REWARD, "piqa", "report", SHA)], flags(False, False, False)),
    "unknown": ([unknown()], flags(None, None, False)),
    "unknown windows": ([unknown(CALIBRATION)], flags(None, False, False)),
    "unknown, and one that leaks": (
        [unknown(), seen(REWARD, "wikitext2", "test", TEXT.sha256)],
        flags(None, True, False),
    ),
}
ZERO_SHOT = {
    "nothing": ([], flags(False, False, False)),
    "other text": ([seen(CALIBRATION, "c4", "train", SHA)], flags(False, False, False)),
    "other task": ([seen(REWARD, "boolq", "report", SHA)], flags(False, False, False)),
    "other part": ([seen(REWARD, "piqa", "search", SHA)], flags(False, False, True)),
    "reported part": ([seen(REWARD, "piqa", "report", SHA)], flags(False, True, True)),
    "all": ([seen(REWARD, "piqa", "all", SHA)], flags(False, True, True)),
    "same items": ([seen(REWARD, "piqa", "search", ITEMS.sha256)], flags(False, True, True)),
    "calibrated": ([seen(CALIBRATION, "piqa", "search", SHA)], flags(True, False, True)),
    "reconstructed": ([seen(RECONSTRUCTION, "piqa", "report", SHA)], flags(True, True, True)),
    "unknown": ([unknown()], flags(None, None, None)),
    "unknown windows": ([unknown(CALIBRATION)], flags(None, None, None)),
    "unknown, and one that leaks": ([unknown(), seen(REWARD, "piqa", "all", SHA)], flags(None, True, True)),
}


@pytest.mark.parametrize("name", PERPLEXITY)
def test_perplexity(name):
    given, expected = PERPLEXITY[name]
    assert perplexity_leakage(TEXT, given) == expected


@pytest.mark.parametrize("name", ZERO_SHOT)
def test_accuracy(name):
    given, expected = ZERO_SHOT[name]
    assert zero_shot_leakage(ITEMS, given) == expected


def test_a_part_that_holds_the_searched_one_leaks():
    whole = Items("piqa", "piqa", ITEMS.records * 2, "piqa", "r", "all", "here")
    assert zero_shot_leakage(whole, [seen(REWARD, "piqa", "search", SHA)])["searched_on_reported_split"]


def test_windows_say_where_they_come_from_or_nothing():
    drawn = {"source": "c4", "split": "train", "text_sha256": SHA, "sampler": "gptq", "sha256": "of the ids"}
    assert seen_of_sample(CALIBRATION, drawn) == seen(CALIBRATION, "c4", "train", SHA)
    assert seen_of_sample(CALIBRATION, {"source": "ids.npy", "sampler": "file"}) == unknown(CALIBRATION)


def test_what_says_nothing_is_unknown():
    assert seen_by({"found": {}}) == [unknown()] and seen_by({"seen": []}) == []


def test_a_union_holds_every_entry_once():
    one, other = seen(REWARD, "mini", "test", SHA), seen(CALIBRATION, "mini", "train", SHA)
    assert union([one, other], [other], []) == union([other], [one]) and len(union([one], [one, other])) == 2
