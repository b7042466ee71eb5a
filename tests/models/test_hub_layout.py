"""OPT-125M in its real shape and its real files in the hub's cache, but untrained: preflight finds it, and says so."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from tiny import SCRATCH
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import OPTConfig, OPTForCausalLM

from sparsitysolver.config.registry import datasets_table, models_table

WORDS = "the valley of the river was settled by farmers in the early years of the century and grew slowly"


def repository(home: Path, kind: str, hub_id: str, revision: str) -> Path:
    """The snapshot folder of a repository in a hub cache, made empty, with its reference."""
    folder = home / "hub" / f"{kind}--{hub_id.replace('/', '--')}"
    for name in ("blobs", "refs", f"snapshots/{revision}"):
        (folder / name).mkdir(parents=True)
    (folder / "refs" / "main").write_text(revision)
    return folder / "snapshots" / revision


def store_as_blobs(snapshot: Path) -> None:
    """Move a snapshot's files to ``blobs`` under their hashes and link to them, as the hub's client does."""
    blobs = snapshot.parents[1] / "blobs"
    for path in [path for path in snapshot.rglob("*") if path.is_file()]:
        blob = blobs / hashlib.sha256(path.read_bytes()).hexdigest()
        shutil.move(path, blob)
        path.symlink_to(os.path.relpath(blob, path.parent))


def write_model(snapshot: Path) -> None:
    """OPT-125M untrained, in the files of the hub: half precision, one .bin, names without ``model.``, tied head."""
    torch.manual_seed(0)
    model = OPTForCausalLM(OPTConfig()).half()  # whose defaults are the sizes of OPT-125M
    state = {name.removeprefix("model."): tensor for name, tensor in model.state_dict().items()}
    del state["lm_head.weight"]
    torch.save(state, snapshot / "pytorch_model.bin")
    model.config.architectures = ["OPTForCausalLM"]
    model.config.save_pretrained(snapshot)


def write_tokenizer(snapshot: Path, texts: list[str]) -> None:
    """A byte-level BPE of the same files and settings as OPT's, trained on the texts."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = BpeTrainer(vocab_size=300, special_tokens=special, initial_alphabet=ByteLevel.alphabet())
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.model.save(str(snapshot))
    settings = {"bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>"}
    settings |= {"add_bos_token": True, "add_prefix_space": False, "tokenizer_class": "GPT2Tokenizer"}
    (snapshot / "tokenizer_config.json").write_text(json.dumps(settings))


def write_wikitext(snapshot: Path, config: str) -> None:
    """Three splits as parquet, each a little longer than one window, and the card that names them."""
    (snapshot / config).mkdir()
    card = "".join(f"  - split: {s}\n    path: {config}/{s}-*\n" for s in ("test", "train", "validation"))
    (snapshot / "README.md").write_text(f"---\nconfigs:\n- config_name: {config}\n  data_files:\n{card}---\n")
    for split in ("train", "validation", "test"):
        rows = ["", f" = {split} = \n", *[f" {WORDS} . \n"] * 60, ""]
        pd.DataFrame({"text": rows}).to_parquet(snapshot / config / f"{split}-00000-of-00001.parquet")


@pytest.fixture(scope="module")
def home() -> Path:
    """A hub home with model and text at their pinned revisions."""
    folder = SCRATCH / "hub-layout"
    model, text = models_table()["opt-125m"], datasets_table()["wikitext2"]
    snapshot = repository(folder, "models", model.hub_id, model.revision)
    write_model(snapshot)
    write_tokenizer(snapshot, [WORDS])
    store_as_blobs(snapshot)
    texts = repository(folder, "datasets", text.hub_id, text.revision)
    write_wikitext(texts, text.config)
    store_as_blobs(texts)
    return folder


def sparsitysolver(home: Path, *arguments: str) -> subprocess.CompletedProcess:
    """A command in a process of its own: the hub's client reads its environment when it is imported."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("SPARSITYSOLVER", "HF_"))}
    return subprocess.run(
        [sys.executable, "-m", "sparsitysolver.cli", *arguments],
        env=clean | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_untrained_weights_stop_preflight_with_their_diagnosis(home, tmp_path):
    out = tmp_path / "preflight.json"
    done = sparsitysolver(home, "preflight", "opt-125m", "--device", "cpu", "--out", str(out))
    assert done.returncode == 2, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("sparsitysolver: error:")]
    assert "preflight of opt-125m: dense perplexity " in line
    assert "on wikitext2 (test, windows of 2048), published 27.64 ± 0.03" in line
    assert "A perplexity near the vocabulary size (50272) means random or broken weights" in line
    assert "Traceback" not in done.stderr
    assert not out.exists()


def test_only_the_pinned_revision_is_taken(home, tmp_path):
    """Model or text of another revision in the cache: not there, instead of silently another."""
    for kind, row in (("models", models_table()["opt-125m"]), ("datasets", datasets_table()["wikitext2"])):
        (tmp_path / kind / "hub").mkdir(parents=True)
        for folder in (home / "hub").iterdir():
            if not folder.name.startswith(kind):
                (tmp_path / kind / "hub" / folder.name).symlink_to(folder)
        snapshot = repository(tmp_path / kind, kind, row.hub_id, "0" * 40)
        snapshot.rmdir()
        snapshot.symlink_to(home / "hub" / f"{kind}--{row.hub_id.replace('/', '--')}" / "snapshots" / row.revision)
        done = sparsitysolver(tmp_path / kind, "preflight", "opt-125m", "--device", "cpu")
        assert done.returncode == 2
        assert row.hub_id in done.stderr and row.revision[:12] in done.stderr
        assert "hub or its cache" in done.stderr
