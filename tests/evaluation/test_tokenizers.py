"""Zero-shot requests of tokenizers that append an EOS, or know tokens that the model does not."""

import dataclasses

import numpy as np
import pytest
from tiny import tiny_folder, tiny_tokenizer
from zero_shot_items import WORDS, piqa

from sparsitysolver.data.items import Items
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.choices import choice_loglikelihoods, choice_requests
from sparsitysolver.evaluation.zero_shot import evaluate_zero_shot, zero_shot_fields
from sparsitysolver.models.loading import load_model


@pytest.fixture
def model():
    """A tiny model with the tokenizer asked for."""
    loaded = load_model(str(tiny_folder("llama")), device="cpu")
    return lambda template: dataclasses.replace(loaded, tokenizer=tiny_tokenizer(template))


@pytest.mark.parametrize("start", ["<s> ", ""])
def test_an_appended_eos_changes_no_number(start, model):
    """Between context and answer it would stand where the answer's first token is scored."""
    plain, appending = model(f"{start}$A"), model(f"{start}$A <s>")
    expected, found = evaluate_zero_shot(plain, WORDS), evaluate_zero_shot(appending, WORDS)
    assert found.loglikelihoods == expected.loglikelihoods and found.metrics == expected.metrics
    assert (found.protocol | {"eos": "none"}) == expected.protocol and found.protocol["eos"] == "left out"
    fast = choice_loglikelihoods(appending.adapter, choice_requests(appending, WORDS))
    assert np.abs(fast - np.concatenate(expected.loglikelihoods)).max() <= 1e-5
    assert choice_requests(appending, WORDS).tokens == choice_requests(plain, WORDS).tokens


@pytest.mark.parametrize("template", ["<s> $A", "$A", "<s> $A <s>", "$A <s>"])
def test_an_empty_context_begins_with_a_bos(template, model):
    """An OpenBookQA stem may be empty; lm-eval then scores the answer after a BOS."""
    record = {"question_stem": "", "choices": {"text": ["w5", "w6 w7"], "label": ["A", "B"]}, "answerKey": "B"}
    items = Items("openbookqa", "openbookqa", (record,), "openbookqa", "r", "all", "here")
    expected = evaluate_zero_shot(model("<s> $A"), items).loglikelihoods
    loaded = model(template)
    assert evaluate_zero_shot(loaded, items).loglikelihoods == expected
    fast = choice_loglikelihoods(loaded.adapter, choice_requests(loaded, items))
    assert np.abs(fast - expected[0]).max() <= 1e-5


def test_fingerprints_tell_tokenizers_apart(model):
    fingerprints = []
    for template in ("<s> $A", "<s> $A <s>", "$A", "$A <s>"):
        loaded = model(template)
        result = evaluate_zero_shot(loaded, WORDS)
        fingerprints.append(zero_shot_fields(loaded, WORDS, result, {})["fingerprint"])
    assert len({tuple(sorted(map(str, one.items()))) for one in fingerprints}) == 4
    assert all(
        one["ids_sha256"] == evaluate_zero_shot(model("<s> $A"), WORDS).protocol["ids_sha256"]
        for one in fingerprints[:2]
    )


def test_tokens_that_the_model_has_no_embedding_for(model):
    loaded = model("<s> $A")
    loaded.tokenizer.add_tokens(["Warrior"])
    evaluate_zero_shot(loaded, WORDS)
    for score in (evaluate_zero_shot, choice_requests):
        with pytest.raises(SparsitySolverError, match="token ids up to 50, and the model's embedding has 50 rows"):
            score(loaded, piqa(("w3", "w4", "Warrior w5", 0)))
