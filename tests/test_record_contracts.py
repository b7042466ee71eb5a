"""Contracts of records: what each kind must hold, what a broken one is told, and the JSON schemas made from them."""

import json
import re

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
    ("strategy", "format", 2, "format: should be 1; found 2."),
    ("strategy", "model", "x", "model: should be a valid mapping; found 'x'."),
    ("strategy", "units", [], "units: List should have at least 1 item after validation, not 0; found []."),
    ("strategy", "target_sparsity", 1.5, "target_sparsity: should be less than 1; found 1.5."),
    ("strategy", "granularity", "fine", "unknown granularity 'fine'. Allowed: structured, unstructured."),
    ("strategy", "units/0/kept", -1, "units, entry 1, kept: should be greater than or equal to 0; found -1."),
    ("strategy", "units/0/kept", 1.5, "units, entry 1, kept: should be a valid integer; found 1.5."),
    ("strategy", "units/0/kept", True, "units, entry 1, kept: should be a valid integer; found True."),
    ("strategy", "units/0/sizes", 4, "unknown field (in units, entry 1) 'sizes'; did you mean size?"),
    ("strategy", "surprise", 1, "unknown field 'surprise'. Allowed: achieved_sparsity, format, found,"),
    ("strategy", "found/algorithm", GONE, "found: 'algorithm' is missing; needed: "),
    ("strategy", "seen/0/part", GONE, "seen, entry 1: 'part' is missing; needed: role, source, part, sha256."),
    *(
        ("cell", name, GONE, f"'{name}' is missing; needed: format, status, model, method,")
        for name in ("model", "method", "sparsity", "task", "split", "provenance")
    ),
    ("cell", "reason", None, "reason: should be a valid string; found None."),
    ("cell", "label", 1, "label: should be a valid string; found 1."),
    ("cell", "status", "fine", "unknown status 'fine'. Allowed: ok, skipped."),
    ("cell", "metrics/ppl/n", 0, "metrics, ppl, n: should be greater than or equal to 1; found 0."),
    ("cell", "metrics/ppl/value", "5", "metrics, ppl, value: should be a valid number; found '5'."),
    ("cell", "fingerprint/text_sha256", GONE, "fingerprint: 'text_sha256' is missing; needed: dataset,"),
    ("cell", "fingerprint/kind", "zero_shot", "fingerprint: 'items_sha256' is missing; needed: dataset,"),
    ("cell", "fingerprint", TASK | {"fewshot": 5}, "fingerprint, fewshot: should be 0; found 5."),
    ("cell", "fingerprint", TASK | {"split": "test"}, "unknown split (in fingerprint) 'test'. Allowed: all, report,"),
    ("cell", "fingerprint", None, "fingerprint: should be a valid mapping; found None."),
    ("cell", "leakage/saw_task", "no", "leakage, saw_task: should be a valid boolean; found 'no'."),
    ("cell", "leakage/saw_task", GONE, "leakage: 'saw_task' is missing; needed: calibrated_on_eval_domain,"),
    ("cell", "samples/acc/1", 0.5, "samples, acc, entry 2: should be 0 or 1; found 0.5."),
    ("cell", "provenance/commit", GONE, "provenance: 'commit' is missing; needed: "),
    ("effects", "units/0/counts", [], "units, entry 1, counts: List should have at least 1 item"),
    ("effects", "units/0/changes/1", None, "units, entry 1, changes, entry 2: should be a valid number; found None."),
    ("effects", "measured_on", GONE, "'measured_on' is missing; needed: "),
    ("inference", "protocol/batch", 0, "protocol, batch: should be greater than or equal to 1; found 0."),
    ("inference", "models/0/decode/seconds", 0, "models, entry 1, decode, seconds: should be greater than 0; found 0."),
    ("inference", "models/0/peak_memory_bytes", GONE, "models, entry 1: 'peak_memory_bytes' is missing; needed: "),
    ("inference", "models/0/rounds/seconds/decode", [], "models, entry 1, rounds, seconds, decode: List should have"),
    ("inference", "models/1/reason", GONE, "models, entry 2: 'reason' is missing; needed: "),
    ("inference", "models/1/status", "fine", "models, entry 2: tag 'fine' found using 'status' does not match any of"),
    ("reconstruction", "points/0/modules", "all", "unknown modules (in points, entry 1) 'all'. Allowed: both, ffn"),
    ("reconstruction", "run/points/0/module_seconds/a", 0, "run, points, entry 1, module_seconds, a: should be"),
    ("reconstruction", "sliced/stderr", GONE, "sliced: 'stderr' is missing; needed: value, stderr, n."),
    ("transfer", "scores/1", GONE, "scores: List should have at least 3 items after validation, not 2; found "),
    ("transfer", "granularity", "unstructured", "unknown granularity 'unstructured'; did you mean structured?"),
    ("transfer", "scores/0/kind", "other", "unknown kind (in scores, entry 1) 'other'. Allowed: "),
    ("arena", "searches", [], "searches: List should have at least 1 item"),
    ("arena", "searches/0/evaluations", 0, "searches, entry 1, evaluations: should be greater than or equal to 1;"),
    ("arena", "lines/0/evaluations", 5, "unknown field (in lines, entry 1) 'evaluations'; did you"),
    ("arena", "fingerprints/test", GONE, "fingerprints: 'test' is missing; needed: "),
    ("bundle", "files", {}, "files: Dictionary should have at least 1 item"),
    ("bundle", "files/results~cells.csv/sha256", "abc", "files, results/cells.csv, sha256: String should match"),
    ("bundle", "run/commits", ["c", 1], "run, commits, entry 2: should be a valid string; found 1."),
    ("bundle", "run/others", "x", "run, others: should be a valid list; found 'x'."),
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
    with pytest.raises(SparsitySolverError, match=re.escape(f"x.json is not a valid {kind}: {words}")):
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
