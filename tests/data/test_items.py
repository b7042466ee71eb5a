"""Zero-shot items: parts that share nothing, files that are checked, the hub's code path on local data."""

import hashlib
import json

import datasets
import pytest
import tiny  # noqa: F401 - keeps the hub's client off the network

from sparsitysolver.config import registry
from sparsitysolver.config.assets import Assets
from sparsitysolver.config.registry import TaskRow, datasets_table
from sparsitysolver.data import minilang
from sparsitysolver.data.harness import task_text
from sparsitysolver.data.items import PARTS, load_items
from sparsitysolver.errors import SparsitySolverError

NO_ASSETS = Assets(None)
CHOICES = {"text": ["sun", "moon", "sea"], "label": ["A", "B", "C"]}
ITEMS = {
    "boolq": {"passage": "it is red.", "question": "is it red", "label": 1},
    "piqa": {"goal": "cut it", "sol1": "use a knife.", "sol2": "use a spoon.", "label": 0},
    "hellaswag": {"activity_label": "Baking", "ctx_a": "A man mixes.", "ctx_b": "he", "label": "0"}
    | {"endings": ["bakes.", "[x] sings.", "runs.", "reads."]},
    "winogrande": {"sentence": "Ann met Bob so _ smiled.", "option1": "Ann", "option2": "Bob", "answer": "2"},
    "arc_easy": {"question": "What shines?", "choices": CHOICES, "answerKey": "A"},
    "arc_challenge": {"question": "What shines at night?", "choices": CHOICES, "answerKey": "B"},
    "openbookqa": {"question_stem": "fish live in the", "choices": CHOICES, "answerKey": "C"},
}
ANSWERED = {
    "boolq": "it is red.\nQuestion: is it red?\nAnswer: yes",
    "piqa": "Question: cut it\nAnswer: use a knife.",
    "hellaswag": "Baking: A man mixes. He bakes.",
    "winogrande": "Ann met Bob so Bob smiled.",
    "arc_easy": "Question: What shines?\nAnswer: sun",
    "arc_challenge": "Question: What shines at night?\nAnswer: moon",
    "openbookqa": "fish live in the sea",
}


def write(folder, task, records, name="{}.jsonl"):
    """An assets folder with a file of items."""
    (folder / "tasks").mkdir(exist_ok=True)
    path = folder / "tasks" / name.format(task)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return Assets(folder)


def questions(count, start=0):
    return [ITEMS["boolq"] | {"question": f"question {number}"} for number in range(start, start + count)]


def failure(*arguments):
    with pytest.raises(SparsitySolverError) as error:
        load_items(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


# --- parts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ITEMS)
def test_mini_items_are_those_of_the_mini_language(task):
    report, search, whole = (load_items(f"mini_{task}", part, NO_ASSETS) for part in PARTS)
    assert list(report.records) == list(whole.records) == minilang.items(task, "test")
    assert list(search.records) == minilang.items(task, "train")
    assert (report.harness_task, report.source, report.part) == (task, "mini", "report")
    assert report.sha256 == whole.sha256 != search.sha256


def test_a_main_file_alone_is_divided_by_the_content_of_its_items(tmp_path):
    records = questions(400)
    assets = write(tmp_path, "boolq", [*records, *records[:50]])
    report, search, whole = (load_items("boolq", part, assets).records for part in PARTS)
    assert list(whole) == [*records, *records[:50]] and len(report) + len(search) == 450
    spelt = {part: {json.dumps(record) for record in records} for part, records in zip("rs", (report, search))}
    assert not spelt["r"] & spelt["s"]
    assert 50 < len(spelt["s"]) < 110  # a fifth of 400 is 80, standard deviation 8

    def for_searching(record):
        text = json.dumps(record, sort_keys=True, separators=(",", ":"))
        return int(hashlib.sha256(text.encode()).hexdigest()[:16], 16) % 5 == 0

    assert list(search) == [record for record in whole if for_searching(record)]


def test_a_train_file_is_for_searching_and_the_whole_main_file_for_reporting(tmp_path):
    write(tmp_path, "boolq", questions(9, start=100), "{}.train.jsonl")
    assets = write(tmp_path, "boolq", questions(7))
    report, search, whole = (load_items("boolq", part, assets) for part in PARTS)
    assert list(report.records) == list(whole.records) == questions(7)
    assert list(search.records) == questions(9, start=100)
    assert search.location.endswith("tasks/boolq.train.jsonl")


def test_a_limit_is_spread_evenly(tmp_path):
    assets = write(tmp_path, "boolq", questions(10))
    chosen = load_items("boolq", "all", assets, 5).records
    assert [record["question"] for record in chosen] == [f"question {number}" for number in (1, 3, 5, 7, 9)]
    assert "11 items of boolq asked for; the part 'all' has 10" in failure("boolq", "all", assets, 11)
    assert "0 items" in failure("boolq", "all", assets, 0)


def test_the_hash_is_of_what_prompts_read_in_order(tmp_path):
    records = questions(3)
    plain = load_items("boolq", "all", write(tmp_path, "boolq", records)).sha256
    extended = [{"idx": number, **dict(reversed(record.items()))} for number, record in enumerate(records)]
    assert load_items("boolq", "all", write(tmp_path, "boolq", extended)).sha256 == plain
    assert load_items("boolq", "all", write(tmp_path, "boolq", records[::-1])).sha256 != plain


def test_unknown_names():
    assert "did you mean mini_piqa" in failure("mini_pika", "report", NO_ASSETS)
    assert "unknown zero-shot task 'wikitext2'" in failure("wikitext2", "report", NO_ASSETS)
    assert "unknown part of the items 'test'. Allowed: all, report, search." in failure("piqa", "test", NO_ASSETS)


# --- checks ---------------------------------------------------------------------------------------------------------

NULL = object()  # a null in the file, where None leaves the field out
BROKEN = {
    "missing field": ("boolq", {"passage": None}, "no field 'passage'; an item of boolq has passage, question, label."),
    "null": ("piqa", {"goal": NULL}, "field 'goal' is None; allowed: a text."),
    "null for an option": ("winogrande", {"option1": [None]}, "field 'option1' is [None]; allowed: a text that"),
    "half a character": ("arc_easy", {"question": "a\ud800"}, "a text of whole characters, no half of a surrogate"),
    "number for a text": ("piqa", {"goal": 3}, "field 'goal' is 3; allowed: a text."),
    "label out of range": ("boolq", {"label": 2}, "field 'label' is 2; allowed: 0 or 1."),
    "label is a truth value": ("boolq", {"label": True}, "field 'label' is True; allowed: 0 or 1."),
    "label is a text": ("piqa", {"label": "1"}, "field 'label' is '1'; allowed: 0 or 1."),
    "hidden label": ("hellaswag", {"label": ""}, "field 'label' is ''; allowed: '0' or '1' or '2' or '3'."),
    "answer from zero": ("winogrande", {"answer": "0"}, "field 'answer' is '0'; allowed: '1' or '2'."),
    "no blank": ("winogrande", {"sentence": "Ann smiled."}, "allowed: a text with a blank written as _."),
    "empty option": ("winogrande", {"option2": ""}, "field 'option2' is ''; allowed: a text that is not empty."),
    "three endings": ("hellaswag", {"endings": ["a", "b", "c"]}, "allowed: a list of 4 texts."),
    "foreign key": ("arc_easy", {"answerKey": "E"}, "field 'answerKey' is 'E'; allowed: A, B, C."),
    "labels missing": ("openbookqa", {"choices": {"text": ["a", "b"]}}, "the lists 'text' and 'label'"),
    "labels twice": ("arc_challenge", {"choices": {"text": ["a", "b"], "label": ["A", "A"]}}, "differ"),
    "one choice": ("arc_easy", {"choices": {"text": ["a"], "label": ["A"]}}, "two or more texts"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_item_is_named_with_file_line_and_field(name, tmp_path):
    task, changes, message = BROKEN[name]
    item = {key: value for key, value in (ITEMS[task] | changes).items() if value is not None}
    broken = {key: None if value is NULL else value for key, value in item.items()}
    found = failure(task, "all", write(tmp_path, task, [ITEMS[task], broken]))
    assert found.startswith(f"{tmp_path}/tasks/{task}.jsonl, line 2: ")
    assert message in found


def test_broken_files(tmp_path):
    assets = write(tmp_path, "piqa", [])
    path = tmp_path / "tasks" / "piqa.jsonl"
    assert failure("piqa", "report", assets) == f"text file {path} is empty."
    path.write_text('\n{"goal": \n')
    assert f"{path}, line 2: no JSON object" in failure("piqa", "report", assets)
    path.write_text("[1]\n")
    assert f"{path}, line 1: no JSON object but [1]" in failure("piqa", "report", assets)
    path.write_bytes(b"\xff\n")
    assert f"{path} is not a UTF-8 text file" in failure("piqa", "report", assets)
    path.unlink()
    assert f"the items of piqa was looked for at {path}" in failure("piqa", "report", assets)


def test_a_part_without_items(tmp_path):
    assets, failed = write(tmp_path, "boolq", [ITEMS["boolq"]]), []
    for part in ("report", "search"):
        try:
            load_items("boolq", part, assets)
        except SparsitySolverError as error:
            failed.append(str(error))
    assert len(failed) == 1 and "holds no items of boolq for the part '" in failed[0]


def test_line_ends_and_a_mark_of_the_system_change_no_item(tmp_path):
    assets = write(tmp_path, "boolq", questions(5))
    before, path = load_items("boolq", "all", assets).sha256, tmp_path / "tasks" / "boolq.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert load_items("boolq", "all", assets).sha256 == before


def test_labels_have_the_hubs_type(tmp_path):
    assets = write(tmp_path, "hellaswag", [ITEMS["hellaswag"] | {"label": 3}])
    assert load_items("hellaswag", "all", assets).records[0]["label"] == "3"
    assets = write(tmp_path, "openbookqa", [ITEMS["openbookqa"] | {"answerKey": " C"}])
    assert load_items("openbookqa", "all", assets).records[0]["answerKey"] == "C"


# --- hub ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ITEMS)
@pytest.mark.parametrize("part", ["report", "search"])
def test_items_from_the_hub(task, part, monkeypatch):
    asked = []

    def load_dataset(*arguments, **options):
        asked.append((arguments, options))
        return datasets.Dataset.from_list([{"idx": 7, **ITEMS[task]}])

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    items = load_items(task, part, NO_ASSETS)
    row, stock = datasets_table()[task], "test" if task.startswith(("arc", "open")) else "validation"
    split = "train" if part == "search" else stock
    assert asked == [((row.hub_id, row.config or None), {"split": split, "revision": row.revision})]
    assert items.records == (ITEMS[task],)
    assert (items.source, items.revision) == (task, row.revision)


def test_a_broken_item_of_the_hub_is_named(monkeypatch):
    data = datasets.Dataset.from_list([ITEMS["piqa"], ITEMS["piqa"] | {"label": -1}])
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: data)
    found = failure("piqa", "report", NO_ASSETS)
    assert "baber/piqa validation, item 2: field 'label' is -1; allowed: 0 or 1." in found


def test_an_unreachable_hub_is_one_clear_error(monkeypatch):
    def load_dataset(*_, **__):
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    message = failure("arc_easy", "search", NO_ASSETS)
    for part in ("arc_easy", "allenai/ai2_arc", "split train", "no route.", "tasks/arc_easy.jsonl", "--assets DIR"):
        assert part in message


# --- text of a task -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ITEMS)
def test_the_text_of_a_task_is_its_prompts_with_the_right_answers(task, tmp_path):
    items = load_items(task, "all", write(tmp_path, task, [ITEMS[task]] * 2))
    text = task_text(items)
    assert text.documents == (ANSWERED[task],) * 2
    assert (text.source, text.split, text.revision) == (task, "all", "assets")


ADDED = {
    "sciq": (
        {"hub_id": "allenai/sciq", "revision": "0" * 40, "split": "test", "stock": "sciq/sciq.yaml"},
        "support:text question:text distractor1:option distractor2:option distractor3:option correct_answer:option",
        {"support": " Salt is.", "question": "Is it?", "correct_answer": "yes"}
        | {f"distractor{number}": f"no {number}" for number in (1, 2, 3)},
        "Salt is.\nQuestion: Is it?\nAnswer: yes",
    ),
    "copa": (
        {"hub_id": "aps/super_glue", "config": "copa", "revision": "0" * 40, "split": "validation"}
        | {"stock": "super_glue/copa/default.yaml"},
        "premise:text question:text choice1:option choice2:option label:0|1",
        {"premise": "It rained.", "question": "effect", "choice1": "I got wet.", "choice2": "I sang.", "label": 0},
        "It rained therefore  i got wet.",
    ),
}


@pytest.mark.parametrize("task", ADDED)
def test_a_task_is_one_row(task, tmp_path, monkeypatch):
    columns, fields, item, answered = ADDED[task]
    row = TaskRow(key=task, kind="zero_shot", dataset=task, harness_task=task, metric="acc", fields=fields, **columns)
    rows = registry.tasks_table() | {task: row}
    monkeypatch.setattr(registry, "tasks_table", lambda: rows)
    items = load_items(task, "all", write(tmp_path, task, [{"id": 1, **item}]))
    assert items.records == (item,) and task_text(items).documents == (answered,)
    broken = write(tmp_path, task, [item | {"question": 3}])
    assert "field 'question' is 3; allowed: a text." in failure(task, "all", broken)


def test_a_kind_of_field_that_does_not_exist(tmp_path, monkeypatch):
    row = registry.tasks_table()["boolq"].model_copy(update={"fields": "passage:txet"})
    rows = registry.tasks_table() | {"boolq": row}
    monkeypatch.setattr(registry, "tasks_table", lambda: rows)
    message = failure("boolq", "all", write(tmp_path, "boolq", questions(1)))
    assert "unknown kind of field (in config/tasks.tsv) 'txet'; did you mean text?" in message
