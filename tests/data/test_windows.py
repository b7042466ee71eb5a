"""Token ids: what tokenizers add, ids without an embedding; windows: contiguous, the rest dropped."""

import numpy as np
import pytest
from tiny import VOCABULARY, tiny_text, tiny_tokenizer

from sparsitysolver.config.bos import NONE
from sparsitysolver.data.sources import Text
from sparsitysolver.data.windows import Added, added_tokens, check_ids, cut_windows, encode, ids_sha256, spread
from sparsitysolver.errors import SparsitySolverError

TEMPLATES = {
    "$A": Added(),
    "<s> $A": Added((2,), ()),
    "$A <s>": Added((), (2,)),
    "<s> $A <s>": Added((2,), (2,)),
    "<s> <s> $A <s> <s>": Added((2, 2), (2, 2)),
}


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_a_tokenizer_adds(template):
    """Its only known words are w3, w4, …; BOS and EOS are one token, so that places tell them apart."""
    tokenizer, added = tiny_tokenizer(template), TEMPLATES[template]
    assert added_tokens(tokenizer) == added
    assert encode(tokenizer, "w5 w6") == [*added.before, 5, 6]
    assert encode(tokenizer, "w5 w6", special=False) == [5, 6]
    assert encode(tokenizer, "") == [*added.before]


def test_an_eos_in_the_text_stays_and_an_unknown_token_may_be_the_bos():
    assert encode(tiny_tokenizer("$A <s>"), "w5 <s>") == [5, 2]
    assert encode(tiny_tokenizer("<s> $A"), "w5 <s>") == [2, 5, 2]
    tokenizer = tiny_tokenizer("<s> $A <s>")
    tokenizer.unk_token = "<s>"
    assert added_tokens(tokenizer) == Added((2,), (2,))


@pytest.mark.parametrize("ids", [np.array([[3, 50]]), [51, 2], [-1]])
def test_ids_without_a_place(ids):
    for fine in (np.array([[3, 49], [0, 1]]), [3, 49], [], np.zeros((0, 4))):
        check_ids(fine, 50, "it")
    with pytest.raises(SparsitySolverError, match=rf"it gives token ids up to {max(np.ravel(ids))}, .* has 50 rows"):
        check_ids(ids, 50, "it")


def test_the_hash_is_of_shape_and_ids():
    ids = np.arange(6).reshape(2, 3)
    assert ids_sha256(ids) == ids_sha256(ids.astype(np.int32))
    assert len({ids_sha256(ids), ids_sha256(ids.reshape(3, 2)), ids_sha256(ids + 1)}) == 3


def cut(text, *options, tokenizer=None, **named):
    return cut_windows(text, tokenizer or tiny_tokenizer(), *options, vocabulary=VOCABULARY, **named)


def text_of(*documents):
    return Text("here", "test", documents, "file", "/somewhere/here.txt")


def test_windows_are_contiguous_with_one_bos_and_no_rest():
    windows = cut(text_of(tiny_text(50)), 10)
    ids = [int(word[1:]) for word in tiny_text(50).split()]
    assert windows.ids.dtype == np.int32
    assert windows.ids.tolist() == np.array([2, *ids][:50]).reshape(5, 10).tolist()
    assert (windows.total_tokens, windows.total_windows, windows.seqlen) == (51, 5, 10)
    assert (windows.ids == 2).sum() == 1
    assert windows.bos == "2"


def test_without_special_tokens_and_with_documents_joined_by_a_blank_line():
    windows = cut(text_of("w5 w6", "w7 w8"), 2, bos=NONE)
    assert (windows.ids.tolist(), windows.bos) == ([[5, 6], [7, 8]], "none")
    assert text_of("a", "", "b").joined == "a\n\n\n\nb"


@pytest.mark.parametrize("template", ["<s> $A", "$A", "<s> $A <s>", "$A <s>"])
def test_what_a_tokenizer_appends_is_no_part_of_the_stream(template):
    """The last window would end in an EOS, and be scored on it."""
    start = [2] * template.startswith("<s>")
    words = [f"w{index}" for index in range(3, 13 - len(start))]
    windows = cut(text_of(" ".join(words)), 5, tokenizer=tiny_tokenizer(template))
    assert windows.ids.flatten().tolist() == [*start, *(int(word[1:]) for word in words)]
    assert windows.total_tokens == 10
    assert windows.bos == ("2" if start else "none")
    assert windows.eos == ("left out" if template.endswith("<s>") else "none")
    with pytest.raises(SparsitySolverError, match="10 tokens found, 11 needed"):
        cut(text_of(" ".join(words)), 11, tokenizer=tiny_tokenizer(template))


def test_ids_that_the_model_has_no_embedding_for():
    """What counts is what occurs in the windows that are used, not how many tokens the tokenizer has."""
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["Warrior", "armour"])
    cut(text_of("w5 w6 w7 w8"), 2, tokenizer=tokenizer)
    message = "text '/somewhere/here.txt' gives token ids up to 51, and the model's embedding has 50 rows"
    with pytest.raises(SparsitySolverError, match=message):
        cut(text_of("w5 Warrior armour w8"), 2, tokenizer=tokenizer)
    cut(text_of("w5 w6 w7 Warrior"), 2, tokenizer=tokenizer)  # the rest that is dropped holds it


@pytest.mark.parametrize(
    ("total", "count", "indices"),
    [(10, None, list(range(10))), (10, 1, [5]), (10, 2, [2, 7]), (10, 5, [1, 3, 5, 7, 9]), (3, 3, [0, 1, 2])],
)
def test_some_windows_lie_evenly_over_the_text(total, count, indices):
    assert spread(total, count).tolist() == indices


def test_a_choice_of_windows_knows_how_many_there_are():
    whole = cut(text_of(tiny_text(50)), 10)
    some = cut(text_of(tiny_text(50)), 10, count=2)
    assert np.array_equal(some.ids, whole.ids[[1, 3]])
    assert (some.total_windows, len(some.ids)) == (5, 2)


@pytest.mark.parametrize("count", [0, -1, 6])
def test_windows_that_are_not_there(count):
    with pytest.raises(SparsitySolverError, match=f"{count} windows asked for; the text has 5"):
        cut(text_of(tiny_text(50)), 10, count=count)


@pytest.mark.parametrize("words", ["w5 w6 w7", ""])
def test_a_text_shorter_than_one_window_is_named(words):
    with pytest.raises(SparsitySolverError, match=r"text '/somewhere/here\.txt' is shorter than one window: . tokens"):
        cut(text_of(words), 10)
