"""Ids of long texts are kept, and found again by exactly what decides them."""

import pytest
from tiny import tiny_tokenizer

from sparsitysolver.data import token_cache
from sparsitysolver.data.windows import encode

TEXT = "w3 w4 w5 " * 50


class Counted:
    """A tokenizer that counts how often it is asked."""

    def __init__(self, tokenizer):
        self.tokenizer, self.calls = tokenizer, 0

    def __getattr__(self, name):
        return getattr(self.tokenizer, name)

    def __call__(self, *args, **options):
        self.calls += 1
        return self.tokenizer(*args, **options)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(token_cache, "_LONG", 100)
    monkeypatch.setenv("SPARSITYSOLVER_CACHE", str(tmp_path))
    return tmp_path / "tokens"


def asked(tokenizer, text=TEXT, special=True):
    """The ids found, and whether the tokenizer was asked for them."""
    counted = Counted(tokenizer)
    ids = token_cache.token_ids(counted, text, special)
    assert ids == tokenizer(text, add_special_tokens=special).input_ids
    return counted.calls


def test_a_text_is_tokenised_once(cache):
    assert [asked(tiny_tokenizer()), asked(tiny_tokenizer())] == [1, 0]
    assert encode(tiny_tokenizer("<s> $A <s>"), TEXT) == encode(tiny_tokenizer(), TEXT)


def test_everything_that_decides_ids_is_in_the_key(cache):
    asked(tiny_tokenizer())
    assert asked(tiny_tokenizer(), special=False) == 1
    assert asked(tiny_tokenizer(), TEXT + "w6") == 1
    assert asked(tiny_tokenizer("$A <s>")) == 1
    assert len(list(cache.iterdir())) == 4


def test_short_texts_are_not_kept(cache):
    assert [asked(tiny_tokenizer(), "w3"), asked(tiny_tokenizer(), "w3")] == [1, 1]
    assert not cache.exists()


@pytest.mark.parametrize("content", [b"", b"half", None])
def test_a_file_that_is_not_whole_is_made_anew(cache, content):
    asked(tiny_tokenizer())
    (path,) = cache.iterdir()
    path.write_bytes(path.read_bytes()[:-8] if content is None else content)
    assert [asked(tiny_tokenizer()), asked(tiny_tokenizer())] == [1, 0]


def test_a_cache_that_cannot_be_written_is_done_without(cache):
    cache.parent.joinpath("tokens").write_text("a file in its place")
    assert [asked(tiny_tokenizer()), asked(tiny_tokenizer())] == [1, 1]
