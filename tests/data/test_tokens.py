"""What tokenizers add to texts, and ids without an embedding."""

import numpy as np
import pytest
from tiny import tiny_tokenizer

from sparsitysolver.data.tokens import Added, added_tokens, check_ids, encode, ids_sha256
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


def test_an_eos_in_the_text_stays():
    assert encode(tiny_tokenizer("$A <s>"), "w5 <s>") == [5, 2]
    assert encode(tiny_tokenizer("<s> $A"), "w5 <s>") == [2, 5, 2]


def test_a_tokenizer_whose_unknown_token_is_its_bos():
    tokenizer = tiny_tokenizer("<s> $A <s>")
    tokenizer.unk_token = "<s>"
    assert added_tokens(tokenizer) == Added((2,), (2,))


@pytest.mark.parametrize("ids", [np.array([[3, 49], [0, 1]]), [3, 49], [], np.zeros((0, 4))])
def test_ids_with_a_place(ids):
    check_ids(ids, 50, "it")


@pytest.mark.parametrize("ids", [np.array([[3, 50]]), [51, 2], [-1]])
def test_ids_without_one(ids):
    with pytest.raises(SparsitySolverError, match=rf"it gives token ids up to {max(np.ravel(ids))}, .* has 50 rows"):
        check_ids(ids, 50, "it")


def test_the_hash_is_of_shape_and_ids():
    ids = np.arange(6).reshape(2, 3)
    assert ids_sha256(ids) == ids_sha256(ids.astype(np.int32))
    assert len({ids_sha256(ids), ids_sha256(ids.reshape(3, 2)), ids_sha256(ids + 1)}) == 3
