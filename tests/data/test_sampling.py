"""Calibration samplers: the same windows everywhere, as the official loaders draw them; files of ids as they are."""

import json
import random
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny import VOCABULARY, tiny_text, tiny_tokenizer

from sparsitysolver.config.assets import Assets
from sparsitysolver.data.sampling import SAMPLERS, Calibration, read_ids, sample
from sparsitysolver.data.sources import Text
from sparsitysolver.errors import SparsitySolverError

TOKENIZER = tiny_tokenizer()
# Of 5 windows of 12 tokens from tiny_text(300) with seed 0.
HASHES = {
    "gptq": "63a886a0f3dbde03",
    "slicegpt": "e0395379cdcc65eb",
    "svd_llm": "23980e64ae68d10f",
    "svd_llm_update": "63a886a0f3dbde03",  # as gptq: a file is joined already
}


@pytest.fixture
def text_path(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text(tiny_text(300))
    return str(path)


def drawn(source, sampler, seed=0, nsamples=5, seqlen=12):
    return sample(Calibration(source, sampler, nsamples, seqlen, seed), TOKENIZER, Assets(None), VOCABULARY)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_windows_are_the_same_everywhere(sampler, text_path):
    windows = drawn(text_path, sampler)
    assert windows.ids.shape == (5, 12) and windows.ids.dtype == np.int32
    assert windows.sha256[:16] == HASHES[sampler]
    assert np.array_equal(windows.ids, drawn(text_path, sampler).ids)
    assert not np.array_equal(windows.ids, drawn(text_path, sampler, seed=1).ids)


def test_svd_llm_windows_are_stretches_of_the_text_behind_a_bos(text_path):
    whole = " ".join(map(str, TOKENIZER(tiny_text(300)).input_ids))
    for start, _, *body in drawn(text_path, "svd_llm", nsamples=20).ids.tolist():  # the first word may be cut in two
        assert start == 2 and " ".join(map(str, body)) in whole


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_what_a_tokenizer_appends_is_in_no_window(sampler, text_path):
    """Documents and stretches are tokenised by themselves: an EOS would end each, and shift random offsets."""
    wanted = Calibration(text_path, sampler, 20, 12, 0)
    for template, plain in (("<s> $A <s>", "<s> $A"), ("$A <s>", "$A")):
        one, other = (sample(wanted, tiny_tokenizer(t), Assets(None), VOCABULARY) for t in (template, plain))
        assert np.array_equal(one.ids, other.ids)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_ids_that_the_model_has_no_embedding_for(sampler, text_path):
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["Warrior"])
    sample(Calibration(text_path, sampler, 5, 12, 0), tokenizer, Assets(None), VOCABULARY)
    Path(text_path).write_text(tiny_text(300).replace(" ", " Warrior "))
    message = r"train\.txt' gives token ids up to 50, and .* embedding has 50 rows"
    with pytest.raises(SparsitySolverError, match=message):
        sample(Calibration(text_path, sampler, 5, 12, 0), tokenizer, Assets(None), VOCABULARY)


def test_gptq_is_the_official_loader(text_path):
    """get_wikitext2 of SparseGPT and Wanda, in its own words."""
    random.seed(3)
    trainenc = TOKENIZER(tiny_text(300)).input_ids
    loader = []
    for _ in range(7):
        i = random.randint(0, len(trainenc) - 12 - 1)
        loader.append(trainenc[i : i + 12])
    state = random.getstate()
    assert drawn(text_path, "gptq", seed=3, nsamples=7).ids.tolist() == loader
    assert random.getstate() == state  # the global generator is left alone


def documents(*lengths):
    return tuple(tiny_text(length, seed=length) for length in lengths)


def test_gptq_draws_whole_c4_documents_longer_than_a_window():
    """get_c4 of SparseGPT and Wanda, in its own words: documents until one is longer than seqlen."""
    text = Text("c4", "train", documents(3, 40, 8, 60, 11, 12, 50), "assets", "here", separate=True)
    random.seed(1)
    expected = []
    for _ in range(6):
        while True:
            i = random.randint(0, len(text.documents) - 1)
            trainenc = TOKENIZER(text.documents[i]).input_ids
            if len(trainenc) > 12:
                break
        i = random.randint(0, len(trainenc) - 12 - 1)
        expected.append(trainenc[i : i + 12])
    assert SAMPLERS["gptq"](text, TOKENIZER, 6, 12, 1) == expected


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_file_of_documents_is_sampled_as_c4_is(sampler, tmp_path):
    """The same documents as the C4 sample of an assets folder and as a file of one's own."""
    (tmp_path / "c4").mkdir()
    path = tmp_path / "c4" / "sample.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in documents(30, 5, 40, 60)))
    wanted = [Calibration(source, sampler, 4, 12) for source in ("c4", str(path))]
    as_c4, as_file = (sample(one, TOKENIZER, Assets(tmp_path), VOCABULARY) for one in wanted)
    assert np.array_equal(as_c4.ids, as_file.ids)
    assert as_c4.origin["text_sha256"] == as_file.origin["text_sha256"]


class Characters:
    """A tokenizer of one token a character after a BOS of 0: windows show what was joined, and how."""

    all_special_ids = (0,)

    def __call__(self, text, add_special_tokens=True, verbose=True):
        return SimpleNamespace(input_ids=[0] * add_special_tokens + [ord(character) for character in text])


class Merging(Characters):
    """The same, but three line ends are one token wherever they meet (as in byte pair encodings)."""

    def __call__(self, text, add_special_tokens=True, verbose=True):
        return super().__call__(text.replace("\n\n\n", "#"), add_special_tokens)


# Rows as the hub gives them: empty, or with blanks around them and a line end of their own.
HUB_ROWS = tuple(text for row in range(40) for text in ("", f" row {row} {'x' * (row % 7)} \n"))
HUB_TEXT = Text("wikitext2", "train", HUB_ROWS, "hub", "x")


def spelt(windows):
    """Windows of characters as strings, without their BOS."""
    assert all(window[0] == 0 for window in windows)
    return ["".join(map(chr, window[1:])) for window in windows]


@pytest.mark.parametrize(("sampler", "joint"), [("gptq", " "), ("svd_llm_update", "\n\n")])
def test_offsets_are_drawn_alike_over_rows_joined_as_each_loader_does(sampler, joint):
    whole, generator = joint.join(HUB_ROWS), random.Random(4)
    starts = [generator.randint(0, len(whole) + 1 - 30 - 1) for _ in range(9)]
    found = SAMPLERS[sampler](HUB_TEXT, Characters(), 9, 30, 4)
    assert found == [Characters()(whole).input_ids[start : start + 30] for start in starts]


def test_slicegpt_is_the_official_loader():
    """prepare_dataloader of SliceGPT: torch's generator, rows from a random one on, what was used is gone."""
    torch.manual_seed(42)
    left, texts = [row for row in HUB_ROWS if row], []
    while len(texts) < 8:
        start = end = int(torch.randint(0, len(left), (1,)))
        text = ""
        while len(text) < 50 and end < len(left):
            text += ("\n\n" if text else "") + left[end]
            end += 1
        left = left[:start] + left[end:]
        texts += [text[:49]] if len(text) >= 50 else []
    torch.manual_seed(7)
    found = SAMPLERS["slicegpt"](HUB_TEXT, Characters(), 8, 50, 42)
    assert spelt(found) == texts
    assert "x \n\n\n row" in texts[0]  # the row's own line end, and a blank line
    assert torch.initial_seed() == 7  # the global generator is left alone
    as_a_file = Text("train.txt", "file", ("\n\n".join(HUB_ROWS),), "file", "x")
    assert SAMPLERS["slicegpt"](as_a_file, Characters(), 8, 50, 42) == found


def test_slicegpt_windows_never_overlap():
    windows = spelt(SAMPLERS["slicegpt"](HUB_TEXT, Characters(), 8, 50, 3))
    begun = [name for text in windows for name in text.split("\n\n\n") if name.endswith(" ")]
    assert len(begun) == len(set(begun)) > 16


def test_slicegpt_windows_that_shrink_when_joined_are_filled_up():
    """Three line ends between rows become one token: the rows that were enough one by one are not any more."""
    windows = SAMPLERS["slicegpt"](HUB_TEXT, Merging(), 6, 50, 0)
    assert {len(window) for window in windows} == {50}
    assert all(text.count("#") >= 2 for text in spelt(windows))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_text_shorter_than_a_window(sampler, tmp_path, monkeypatch):
    monkeypatch.setattr("sparsitysolver.data.sampling._TRIES", 50)
    path = tmp_path / "short.txt"
    path.write_text("w5 w6 w7")
    with pytest.raises(SparsitySolverError, match=r"calibration text 'short\.txt' is too short: 4 tokens.*12"):
        drawn(str(path), sampler)


def test_no_c4_document_is_long_enough(monkeypatch):
    monkeypatch.setattr("sparsitysolver.data.sampling._TRIES", 50)
    text = Text("c4", "train", documents(3, 5, 8), "assets", "here", separate=True)
    with pytest.raises(SparsitySolverError, match="calibration text 'c4' is too short: 9 tokens"):
        SAMPLERS["gptq"](text, TOKENIZER, 6, 12, 1)


def test_slicegpt_begins_a_used_up_text_anew(text_path):
    """More windows than the text has room for without overlap: only then do they share rows."""
    ids = drawn(text_path, "slicegpt", nsamples=64, seqlen=100).ids
    assert ids.shape == (64, 100)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("sampler", "gptk", "unknown calibration sampler 'gptk'; did you mean gptq"),
        ("nsamples", 0, "0 calibration windows asked for"),
        ("nsamples", -3, "-3 calibration windows asked for"),
        ("seqlen", 0, "window length 0 asked for"),
        ("seqlen", -4, "window length -4 asked for"),
    ],
)
def test_drawings_that_cannot_be(field, value, message, text_path):
    wanted = {"source": text_path, "seqlen": 12} | {field: value}
    with pytest.raises(SparsitySolverError, match=message):
        sample(Calibration(**wanted), TOKENIZER, Assets(None), VOCABULARY)


# --- files of token ids ---------------------------------------------------------------------------------------------


def saved(tmp_path, array):
    path = tmp_path / "ids.npy"
    np.save(path, array)
    return str(path)


@pytest.mark.parametrize("dtype", [np.int64, np.uint16])
def test_a_file_is_used_whole_as_it_is(dtype, tmp_path):
    ids = np.arange(24).reshape(4, 6).astype(dtype)
    path = saved(tmp_path, ids)
    windows = sample(Calibration(path, "gptq", 2, 3, 7), TOKENIZER, Assets(None), VOCABULARY)
    assert np.array_equal(windows.ids, ids) and windows.ids.dtype == np.int32
    origin = {"source": "ids.npy", "sampler": "file", "nsamples": 4, "seqlen": 6}
    assert windows.record() == origin | {"tokens": 24, "sha256": windows.sha256}


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((4, 6)), r"holds float64 of shape \(4, 6\); integer token ids"),
        (np.arange(6), r"holds int64 of shape \(6,\)"),
        (np.ones((2, 3, 4), dtype=int), r"of shape \(2, 3, 4\)"),
        (np.ones((0, 6), dtype=int), r"of shape \(0, 6\)"),
        (np.full((2, 3), VOCABULARY), f"{VOCABULARY}: it was made with another tokenizer"),
        (np.full((2, 3), -1), "token ids -1 to -1"),
        (np.array([[None, "x"]], dtype=object), "is not a whole .npy array"),
    ],
    ids=["float", "1-D", "3-D", "empty", "beyond the vocabulary", "negative", "objects"],
)
def test_files_that_hold_something_else(array, message, tmp_path):
    path = saved(tmp_path, array)
    with pytest.raises(SparsitySolverError, match=message) as error:
        read_ids(path, VOCABULARY)
    assert f"calibration file {path}" in str(error.value)


def test_a_missing_and_a_truncated_file(tmp_path):
    with pytest.raises(SparsitySolverError, match=f"no calibration file at {tmp_path}/none.npy"):
        read_ids(str(tmp_path / "none.npy"), VOCABULARY)
    path = tmp_path / "ids.npy"
    whole = Path(saved(tmp_path, np.ones((4, 60), dtype=int))).read_bytes()
    for size in (500, 40, 0):
        path.write_bytes(whole[:size])
        with pytest.raises(SparsitySolverError, match=f"calibration file {path} is not a whole .npy array"):
            read_ids(str(path), VOCABULARY)
