"""Contracts of records: what each kind must hold, what a broken one is told, and the JSON schemas made from them."""

import json

import pytest

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.contracts import CONTRACTS
from sparsitysolver.records.files import validate
from sparsitysolver.records.schemas import schema_path, schema_text

MODEL = {"name": "m", "family": "opt", "weights_sha256": "w"}
PROVENANCE = {"versions": {}, "commit": "x", "device": "cpu", "threads": 1, "seeds": {}}
PROTOCOL = {"dataset": "wikitext2", "split": "test", "seqlen": 8, "windows": 2, "dtype": "float32"}
SEEN = {"role": "calibration", "source": None, "part": None, "sha256": None}
PPL = {"value": 5.0, "stderr": None, "n": 2}
ALLOCATION = {"algorithm": "uniform", "kept": [1], "achieved_sparsity": 0.2, "validation_ppl": None, "test_ppl": 5.0}
ALLOCATION["test_losses"] = [1.5]
SEARCH = {"found_by": "x", "key": "k", "evaluations": 1, "tokens": 2, "all_tokens": 3, "seconds_per_proposal": 0.0}
SEARCH["anytime"] = [{"share": 0.1, "tokens": 1, "validation_ppl": None}]
SPEED = {"seconds": 0.1, "tokens_per_second": 10}
SPEEDUP = {"value": 1.1, "low": 1.0, "high": 1.2, "coverage": 0.98}
DENSE = {"method": "dense", "label": "Dense", "sparsity": 0, "seed": 0}
TEXT = PROTOCOL | {"revision": "r", "text_sha256": "t", "join": " ", "bos": "none", "tokens": 16}
TASK = {"kind": "zero_shot", "dataset": "piqa", "revision": "r", "items_sha256": "i", "items": 2, "split": "report"}
TASK |= {"task_version": "1", "harness": "lm_eval", "fewshot": 0, "batch_size": 8, "bos": "none", "seqlen": 8}
TASK["dtype"] = "float32"

VALID = {
    "strategy": {
        "format": 1,
        "model": MODEL,
        "granularity": "structured",
        "target_sparsity": 0.5,
        "achieved_sparsity": 0.5,
        "units": [{"name": "layers.0.mha", "kind": "mha", "size": 4, "kept": 2, "ratio": 0.5}],
        "found": {"algorithm": "ppo"},
        "seed": 0,
        "seen": [SEEN],
    },
    "cell": {
        "format": 1,
        "status": "skipped",
        "model": MODEL,
        "method": "flap",
        "sparsity": 0.2,
        "seed": 0,
        "task": "wikitext2",
        "split": "test",
        "metrics": {"ppl": PPL},
        "fingerprint": TEXT,
        "leakage": {"calibrated_on_eval_domain": None, "searched_on_reported_split": False, "saw_task": True},
        "samples": {"acc": [0, 1], "loglikelihoods": [[-1.0, -2], [0.5]]},
        "provenance": PROVENANCE,
    },
    "effects": {
        "format": 1,
        "model": MODEL,
        "granularity": "unstructured",
        "sparsity": 0.5,
        "criterion": "l2",
        "measured_on": {"text": "wikitext2"},
        "units": [
            {"name": "layers.0.q", "kind": "q", "layer": 0, "size": 4, "weights_per_item": 4}
            | {"kept": 2, "counts": [1, 2], "changes": [0.5, 0]}
        ],
    },
    "inference": {
        "format": 1,
        "model": MODEL,
        "protocol": {"batch": 1, "prompt_tokens": 8, "new_tokens": 2, "prompt_sha256": "p", "rounds": 1}
        | {"dtype": "float32", "devices": 1, "memory": "allocated"},
        "models": [
            DENSE
            | {"status": "ok", "size": {"parameters": 9, "nonzeros": 9, "bytes": 36, "achieved_sparsity": 0.0}}
            | {"cache_check": {"tokens": 2, "different": 0, "distance": 0}, "peak_memory_bytes": 3}
            | {"prefill": SPEED, "decode": SPEED, "speedup": {"prefill": SPEEDUP, "decode": SPEEDUP}}
            | {"rounds": {"seconds": {"prefill": [0.1], "decode": [0.1]}}},
            DENSE | {"status": "skipped", "reason": "no code"},
        ],
        "provenance": PROVENANCE,
    },
    "reconstruction": {
        "format": 1,
        "model": MODEL,
        "sparsity": 0.3,
        "seed": 0,
        "strategy": {},
        "criterion": "l2",
        "ridge": 0,
        "calibration": {},
        "reconstruction": {},
        "fingerprint": PROTOCOL,
        "dense": PPL,
        "sliced": PPL,
        "points": [{"modules": "mha", "samples": 1, "tokens": 8, "ppl": PPL}],
        "provenance": PROVENANCE,
        "run": {"points": [{"modules": "mha", "samples": 1, "module_seconds": {"a": 0.1}, "seconds_per_module": 0.1}]},
    },
    "transfer": {
        "format": 1,
        "model": MODEL,
        "granularity": "structured",
        "sparsity": 0.2,
        "criterion": "l2",
        "calibration": {},
        "fingerprint": PROTOCOL,
        "scores": [
            {"strategy": kind, "kind": kind, "kept": [1], "achieved_sparsity": 0.2, "ppl": PPL, "windows": [1.5]}
            for kind in ("dense", "uniform", "own")
        ],
        "provenance": PROVENANCE,
        "run": {},
    },
    "arena": {
        "format": 1,
        "model": MODEL,
        "granularity": "structured",
        "sparsity": 0.2,
        "seed": 0,
        "criterion": "l2",
        "calibration": {},
        "fingerprints": {"validation": PROTOCOL, "test": PROTOCOL},
        "dense": {"validation_ppl": 5.0, "test_ppl": 5.0, "test_losses": [1.5]},
        "lines": [ALLOCATION],
        "searches": [ALLOCATION | SEARCH],
        "provenance": PROVENANCE,
        "run": {},
        "pareto": [],
    },
    "bundle": {
        "format": 1,
        "made_by": "0.1",
        "commit": "c",
        "grid": "",
        "run": {"commits": ["c"], "versions": [], "devices": ["cpu"]},
        "files": {"results/cells.csv": {"sha256": "0" * 64, "bytes": 3}},
    },
}
GONE = object()
BROKEN = [
    ("strategy", "format", 2, "format: 2 found"),
    ("strategy", "model", "x", "model: 'x' found; an object is needed"),
    ("strategy", "units", [], r"units: \[\] found; List should have at least 1 item"),
    ("strategy", "target_sparsity", 1.5, "target_sparsity: 1.5 found; it should be less than 1"),
    ("strategy", "granularity", "fine", "granularity: 'fine' found; it should be 'structured' or 'unstructured'"),
    ("strategy", "units/0/kept", -1, "units/0/kept: -1 found; it should be greater than or equal to 0"),
    ("strategy", "units/0/kept", 1.5, "units/0/kept: 1.5 found; a whole number is needed"),
    ("strategy", "units/0/kept", True, "units/0/kept: True found; a whole number is needed"),
    ("strategy", "units/0/sizes", 4, "units/0: 'sizes' is unexpected"),
    ("strategy", "surprise", 1, "top level: 'surprise' is unexpected"),
    ("strategy", "found/algorithm", GONE, "found: 'algorithm' is a required property"),
    ("strategy", "seen/0/part", GONE, "seen/0: 'part' is a required property"),
    *(
        ("cell", name, GONE, f"top level: '{name}' is a required property")
        for name in ("model", "method", "sparsity", "task", "split", "provenance")
    ),
    ("cell", "reason", None, "reason: None found; text is needed"),
    ("cell", "label", 1, "label: 1 found; text is needed"),
    ("cell", "status", "fine", "status: 'fine' found; it should be 'ok' or 'skipped'"),
    ("cell", "metrics/ppl/n", 0, "metrics/ppl/n: 0 found; it should be greater than or equal to 1"),
    ("cell", "metrics/ppl/value", "5", "metrics/ppl/value: '5' found; a number is needed"),
    ("cell", "fingerprint/text_sha256", GONE, "fingerprint: 'text_sha256' is a required property"),
    ("cell", "fingerprint/kind", "zero_shot", "fingerprint: 'items_sha256' is a required property"),
    ("cell", "fingerprint", TASK | {"fewshot": 5}, "fingerprint/fewshot: 5 found; it should be 0"),
    (
        "cell",
        "fingerprint",
        TASK | {"split": "test"},
        "fingerprint/split: 'test' found; it should be 'report'",
    ),
    ("cell", "fingerprint", None, "fingerprint: None found; an object is needed"),
    ("cell", "leakage/saw_task", "no", "leakage/saw_task: 'no' found; true or false is needed"),
    ("cell", "leakage/saw_task", GONE, "leakage: 'saw_task' is a required property"),
    ("cell", "samples/acc/1", 0.5, "samples/acc/1: 0.5 found; it should be 0 or 1"),
    ("cell", "provenance/commit", GONE, "provenance: 'commit' is a required property"),
    ("effects", "units/0/counts", [], "units/0/counts: "),
    ("effects", "units/0/changes/1", None, "units/0/changes/1: None found; a number is needed"),
    ("effects", "measured_on", GONE, "top level: 'measured_on' is a required property"),
    ("inference", "protocol/batch", 0, "protocol/batch: 0 found"),
    ("inference", "models/0/decode/seconds", 0, "models/0/decode/seconds: 0 found; it should be greater than 0"),
    ("inference", "models/0/peak_memory_bytes", GONE, "models/0: 'peak_memory_bytes' is a required property"),
    ("inference", "models/1/reason", GONE, "models/1: 'reason' is a required property"),
    ("inference", "models/1/status", "fine", "models/1: .*'status' does not match any of the expected tags: 'ok', 'sk"),
    ("inference", "models/0/rounds/seconds/decode", [], "models/0/rounds/seconds/decode: "),
    ("reconstruction", "points/0/modules", "all", "points/0/modules: 'all' found; it should be 'mha', 'ffn' or 'both'"),
    ("reconstruction", "run/points/0/module_seconds/a", 0, "run/points/0/module_seconds/a: 0 found"),
    ("reconstruction", "sliced/stderr", GONE, "sliced: 'stderr' is a required property"),
    ("transfer", "scores/1", GONE, "scores: .*at least 3 items"),
    ("transfer", "granularity", "unstructured", "granularity: 'unstructured' found; it should be 'structured'"),
    ("transfer", "scores/0/kind", "other", "scores/0/kind: 'other' found"),
    ("arena", "searches", [], "searches: "),
    ("arena", "searches/0/evaluations", 0, "searches/0/evaluations: 0 found"),
    ("arena", "lines/0/evaluations", 5, "lines/0: 'evaluations' is unexpected"),
    ("arena", "fingerprints/test", GONE, "fingerprints: 'test' is a required property"),
    ("bundle", "files", {}, "files: "),
    (
        "bundle",
        "files/results~cells.csv/sha256",
        "abc",
        "files/results/cells.csv/sha256: 'abc' found; String",
    ),
    ("bundle", "run/commits", ["c", 1], "run/commits/1: 1 found; text is needed"),
    ("bundle", "run/others", "x", "run/others: 'x' found; a list is needed"),
]


def changed(record, place, value):
    """A copy with one value set, or gone; ``~`` stands for a slash in a name."""
    record = inner = json.loads(json.dumps(record))
    *outer, last = (int(part) if part.isdigit() else part.replace("~", "/") for part in place.split("/"))
    for part in outer:
        inner = inner[part]
    if value is GONE:
        del inner[last]
    else:
        inner[last] = value
    return record


@pytest.mark.parametrize(("kind", "place", "value", "words"), BROKEN)
def test_a_broken_record_names_file_and_field(kind, place, value, words):
    validate(VALID[kind], kind, "x.json")
    with pytest.raises(SparsitySolverError, match=f"x.json is not a valid {kind}: {words}"):
        validate(changed(VALID[kind], place, value), kind, "x.json")


@pytest.mark.parametrize(
    ("kind", "place", "value"),
    [
        ("strategy", "units/0/kept", 2.0),  # JSON knows one kind of number
        ("strategy", "seen", GONE),  # of an older version
        ("strategy", "found/anything", {"else": 1}),
        ("cell", "fingerprint", TASK),
        ("cell", "sparsity", 0),
        ("cell", "calibration", None),
        ("transfer", "scores/0/ppl/value", None),
        ("arena", "searches/0/driver", None),
    ],
)
def test_what_a_record_may_hold_or_lack(kind, place, value):
    validate(changed(VALID[kind], place, value), kind, "x.json")


def test_checking_changes_nothing():
    for kind, record in VALID.items():
        before = json.dumps(record)
        validate(record, kind, "x.json")
        assert json.dumps(record) == before


@pytest.mark.parametrize("kind", CONTRACTS)
def test_schemas_are_those_of_the_contracts(kind):
    assert schema_path(kind).read_text() == schema_text(kind), "run make schemas"
    assert {path.name for path in schema_path(kind).parent.iterdir()} == {f"{name}.schema.json" for name in CONTRACTS}
