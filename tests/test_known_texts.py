"""Known texts: the published one by its hash, what others are called, and what token counts can and cannot say."""

import pytest

from sparsitysolver.config.published import known_texts, not_the_text

RAW = "696cca6b65a171b0a358a4be6732cdfdf2dd6164a32e20fd70e3c13fc4dfae83"
WORD_LEVEL = "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0"
UNKNOWN = "0" * 64
WORDS = "the word-level file of its test split with <unk>"


@pytest.mark.parametrize(
    ("sha256", "tokens", "model", "expected"),
    [
        (RAW, 287645, "opt-125m", ""),
        (RAW, 360614, "opt-125m", ""),  # another tokenizer under the name: the text is the text
        (RAW, None, "my-model", ""),
        (WORD_LEVEL, 295878, "opt-125m", f"not WikiText-2 raw test (295878 tokens instead of 287645): {WORDS}"),
        (WORD_LEVEL, 339370, "llama-2-7b", f"not WikiText-2 raw test (339370 tokens instead of 341469): {WORDS}"),
        (WORD_LEVEL, 332718, "mistral-7b", f"not WikiText-2 raw test (332718 tokens instead of 334661): {WORDS}"),
        (WORD_LEVEL, 360614, "opt-mini", f"not WikiText-2 raw test (360614 tokens): {WORDS}"),  # its own tokenizer
        (UNKNOWN, 100, "my-model", "not WikiText-2 raw test (100 tokens)"),
        (UNKNOWN, 287645, "opt-13b", "not WikiText-2 raw test (287645 tokens, but other ones)"),
        ("", None, "opt-13b", "not WikiText-2 raw test"),
    ],
)
def test_the_hash_decides_and_tokens_say_how_far_off(sha256, tokens, model, expected):
    assert not_the_text("wikitext2", "test", sha256, tokens, model) == expected


@pytest.mark.parametrize(("task", "split"), [("mini", "test"), ("wikitext2", "validation"), ("boolq", "report")])
def test_where_no_text_is_published_every_text_will_do(task, split):
    assert not_the_text(task, split, UNKNOWN, 5, "opt-125m") == ""


def test_known_texts_stand_once_and_the_published_one_first():
    hashes = [text.sha256 for text in known_texts()]
    assert len(set(hashes)) == len(hashes) and hashes[0] == RAW and known_texts()[0].published
    assert all(len(sha256) == 64 for sha256 in hashes)
    counts = [getattr(known_texts()[0], family) for family in ("opt", "llama", "mistral")]
    assert counts == [287645, 341469, 334661]
    assert [tokens // 2048 for tokens in counts] == [140, 166, 163]  # windows, as published code counts them
