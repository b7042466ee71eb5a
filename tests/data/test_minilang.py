import collections
import hashlib
import json
import re

import pytest

from sparsitysolver.data import minilang
from sparsitysolver.errors import SparsitySolverError

OF_CHOICES = {"question", "choices", "answerKey"}
FIELDS = {
    "boolq": {"passage", "question", "label"},
    "piqa": {"goal", "sol1", "sol2", "label"},
    "hellaswag": {"activity_label", "ctx_a", "ctx_b", "endings", "label"},
    "winogrande": {"sentence", "option1", "option2", "answer"},
    "arc_easy": OF_CHOICES,
    "arc_challenge": OF_CHOICES,
    "openbookqa": OF_CHOICES - {"question"} | {"question_stem"},
}
TEXT_SHA256 = {
    "train": "17c877cfed69ab6634f6d04db18c6ac160b46b2c8ca73cb91a24d62fa4301b25",
    "validation": "1a3df1f8fa8e57d7dc2a561ec0f73597076412effa2f749182a26933f7397984",
    "test": "ee020e8e172afe99481449eed22ceb8f65cbdc36b043d9983113eafc9b553f28",
}
ITEMS_SHA256 = {  # of train and test
    "boolq": ("380002c0d0b2f9eb", "ac55fe26e4456e36"),
    "piqa": ("76cbf6512061a06e", "5a3e8ee622bdb716"),
    "hellaswag": ("320da1cd791fd1fa", "0e4ef25085c1e703"),
    "winogrande": ("0006d317dee1c4c6", "6a1094f49c904dcf"),
    "arc_easy": ("aa7a3c0692f469cb", "478fd22c2f5bdf18"),
    "arc_challenge": ("01bb396c5c548278", "ba9771c11d1e1708"),
    "openbookqa": ("2f4c0802b3f5d2e8", "16c7a636f538bde5"),
}


def words_in(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z]+", text))


def label_of(task: str, item: dict) -> int:
    """Position of the right option, read the way the stock lm-eval tasks read it."""
    if task in ("boolq", "piqa", "hellaswag"):
        return int(item["label"])
    if task == "winogrande":
        return {"1": 0, "2": 1}[item["answer"]]
    return item["choices"]["label"].index(item["answerKey"])


def options_of(task: str, item: dict) -> list[str]:
    pairs = {"boolq": ["no", "yes"], "hellaswag": item.get("endings")}
    pairs |= {"piqa": [item.get("sol1"), item.get("sol2")], "winogrande": [item.get("option1"), item.get("option2")]}
    return pairs[task] if task in pairs else item["choices"]["text"]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("split", minilang.TEXT_BYTES)
def test_the_text_is_the_one_that_the_bundled_models_read(split):
    assert sha256(minilang.text(split)) == TEXT_SHA256[split]


@pytest.mark.parametrize("task", minilang.TASKS)
def test_the_items_are_those_of_all_measurements(task):
    made = tuple(sha256(json.dumps(minilang.items(task, split)))[:16] for split in ("train", "test"))
    assert made == ITEMS_SHA256[task]


@pytest.mark.parametrize("split", minilang.TEXT_BYTES)
def test_text_has_its_size_and_whole_paragraphs(split):
    text = minilang.text(split)
    assert abs(len(text.encode()) - minilang.TEXT_BYTES[split]) < 1000
    assert all(paragraph.strip() for paragraph in text.split("\n\n"))


def test_splits_of_the_text_differ():
    train, validation, test = (set(minilang.text(split).split("\n\n")) for split in minilang.TEXT_BYTES)
    assert len(validation & test) < 0.5 * len(test)
    # short questions recur, as they do in any text on a fixed world; most long paragraphs are new
    long = [paragraph for paragraph in test if len(paragraph) > 120]
    assert sum(paragraph in train for paragraph in long) < 0.25 * len(long)


@pytest.mark.parametrize("task", minilang.TASKS)
class TestItems:
    def test_fields_are_those_of_the_hub_and_labels_point_at_distinct_options_evenly(self, task):
        items = minilang.items(task, "test")
        assert len(items) == 400
        assert all(set(item) == FIELDS[task] for item in items)
        for item in items:
            options = options_of(task, item)
            assert len(set(options)) == len(options)
        counts = collections.Counter(label_of(task, item) for item in items)
        assert set(counts.values()) == {len(items) // len(options_of(task, items[0]))}

    def test_train_and_test_share_no_question(self, task):
        def shown(item):
            hidden = ["label", "answer", "answerKey", "choices", "endings", "option1", "option2", "sol1", "sol2"]
            return json.dumps({key: value for key, value in item.items() if key not in hidden})

        train, test = ({shown(item) for item in minilang.items(task, split)} for split in ("train", "test"))
        assert not train & test

    def test_only_known_words(self, task):
        known = words_in(minilang.text("train"))
        for split in ("train", "test"):
            items = minilang.items(task, split)
            values = [value for item in items for key, value in item.items() if key not in ("choices", "answerKey")]
            shown = json.dumps([values, [options_of(task, item) for item in items]])
            assert words_in(shown) <= known


@pytest.mark.parametrize(
    ("task", "field"),
    [("piqa", "goal"), ("arc_easy", "question"), ("arc_challenge", "question"), ("openbookqa", "question_stem")],
)
def test_test_questions_are_not_in_any_text(task, field):
    asked = {item[field] for item in minilang.items(task, "test")}
    lines = {
        line.removeprefix("Question: ") for split in minilang.TEXT_BYTES for line in minilang.text(split).splitlines()
    }
    if task == "openbookqa":
        lines = {line.partition(" it will ")[0] + " it will" for line in lines}
    assert not asked & lines


def test_vocabulary_is_closed_and_of_moderate_size():
    known = words_in(minilang.text("train"))
    assert 400 <= len(known) <= 700
    assert words_in(minilang.text("validation")) | words_in(minilang.text("test")) <= known
    assert set(minilang.text("train")) <= set("abcdefghijklmnopqrstuvwxyzAFNTHSQ .,:?\n")


def test_unknown_names_are_refused_with_what_is_allowed():
    for allowed, make, names in (
        ("train", minilang.text, ["trian"]),
        ("arc_easy", minilang.items, ["arc", "test"]),
        ("test", minilang.items, ["piqa", "validation"]),
    ):
        with pytest.raises(SparsitySolverError, match=allowed):
            make(*names)
