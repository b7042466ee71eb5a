"""Model cards: valid heads, the numbers of the record, what is not known left out."""

import copy

import pytest
import yaml
from huggingface_hub import ModelCard

from sparsitysolver.hub.card import hub_record, licence_in, model_card

RECORD = {
    "status": "ok",
    "model": {"name": "m: 1", "family": "llama", "weights_sha256": "f" * 64, "revision": "abc"},
    "method": "flap",
    "label": "FLAP",
    "sparsity": 0.2,
    "calibration": {"source": "wikitext2", "split": "train", "sampler": "gptq", "nsamples": 8, "seqlen": 128, "seed": 3}
    | {"sha256": "1" * 64, "text_sha256": "2" * 64},
    "reconstruction": {"source": "ids.npy", "sampler": "file", "nsamples": 4, "seqlen": 64, "sha256": "3" * 64},
    "strategy": {"units": [1, 2, 3], "granularity": "structured", "found": {"algorithm": "ppo", "evaluations": 300}},
    "warnings": ["the model grew."],
    "size": {
        "parameters": 80_000,
        "nonzeros": 79_990,
        "dense_parameters": 100_000,
        "prunable_dense": 50_000,
        "prunable_nonzeros": 30_000,
        "achieved_sparsity": 0.4,
    },
    "hub": hub_record("a/b", {"license": "other", "license_name": "x y"}, "float16", "float32", True, {"pruning": "P"}),
    "provenance": {
        "versions": {"sparsitysolver": "0.1", "torch": "2", "transformers": "5", "python": "3.11"},
        "commit": "c0ffee",
        "device": "cpu",
        "threads": 2,
        "seeds": {"job": 7},
    },
}
PERPLEXITY = {"before": 10.0, "after": 12.34567, "windows": 4, "drawn": 8, "seqlen": 128, "dtype": "float32"}
CALIBRATION = PERPLEXITY | {"text": "wikitext2", "split": "train", "seen": True, "near": True, "bos": None}


def card(**about):
    record = copy.deepcopy(RECORD)
    record["hub"] |= about
    return model_card(record)


def test_the_head_is_read_by_the_hub():
    head = ModelCard(card()).data.to_dict()
    assert head == {
        "base_model": "a/b",
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "license": "other",
        "license_name": "x y",
        "tags": ["pruned", "sparsitysolver", "flap", "llama"],
    }
    head = yaml.safe_load(card(base_model=None, license=None).split("---")[1])
    assert head.keys() == {"library_name", "pipeline_tag", "tags"}


def test_the_card_says_what_the_record_says():
    text = card(perplexity=CALIBRATION)
    for said in (
        "# a/b, pruned by FLAP",
        "[a/b](https://huggingface.co/a/b) with 40.0% of its prunable weights",
        "removed.\n**Its weights were changed.**",
        "| Parameters in the files | 100,000 | 80,000 |",
        "| of which zeros | | 10 |",
        "| Prunable weights that are not zero | 50,000 | 30,000 |",
        "| Perplexity | 10.0000 | 12.3457 |",
        "4 windows of 128 tokens, the first of 8, of wikitext2 (train), computed in float32.",
        "**calibration windows: seen by pruning**",
        "from_pretrained(place, trust_remote_code=True)",
        "pretrained=PLACE,trust_remote_code=True",
        "- Pruning: P",
        "- Note: the model grew.",
        "- Dense model: m: 1, revision abc; weights " + "f" * 64,
        "weights in float16, the dense checkpoint's own; pruned in float32 and rounded",
        "- Calibration: wikitext2 (train), 8 windows of 128 tokens, sampler gptq, seed 3; SHA-256 of the ids 1111",
        "- Reconstruction: ids.npy, 4 windows of 64 tokens, sampler file; SHA-256 of the ids 3333",
        "- Strategy: 3 structured units, found by ppo in 300 evaluations",
        "- Seed of the job: 7",
        "sparsitysolver 0.1, commit c0ffee; torch 2, transformers 5, python 3.11; device cpu, 2 threads",
    ):
        assert said in text, said


def test_what_is_not_known_or_not_so_is_not_said():
    text = card(base_model=None, code=False, dtype="float32")
    assert "# m: 1, pruned by FLAP" in text and "huggingface.co" not in text
    assert "trust_remote_code" not in text and "stock" in text
    assert "and rounded" not in text and "Perplexity was not measured" in text
    named = CALIBRATION | {"seen": False, "near": False, "drawn": 4, "split": "test", "after": None, "bos": "every"}
    text = card(perplexity=named)
    assert "of wikitext2 (test), BOS: every, computed in" in text
    assert "calibration windows" not in text and "the first of" not in text and "| 10.0000 | not finite |" in text
    assert "The calibration came from the same text or data set." in card(perplexity=named | {"near": True})


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ("license: apache-2.0", {"license": "apache-2.0"}),
        ("license: other\nlicense_name: x\nlicense_link: LICENSE", {"license": "other", "license_name": "x"}),
        ("license_name: x", None),
        ("license: [a, b]", None),
        ("license: : :", None),
        ("tags: [x]", None),
    ],
)
def test_the_licence_of_the_dense_model(head, found):
    told = licence_in(f"---\n{head}\n---\n# A model\n")
    assert told == found or told == found | {"license_link": "LICENSE"}
    assert licence_in("") is licence_in("# A model of license: mit") is None
