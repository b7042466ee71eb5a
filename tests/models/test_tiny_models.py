import json

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from sparsitysolver.config.assets import BUNDLED, Assets
from sparsitysolver.config.registry import tasks_table
from sparsitysolver.data import minilang
from sparsitysolver.data.items import load_items
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.choices import accuracy, choice_requests
from sparsitysolver.models import train_tiny
from sparsitysolver.models.loading import load_model
from sparsitysolver.models.train_tiny import ARCHITECTURES, FIRST_WINDOWS, WINDOW, Settings

MAX_BYTES = 3_000_000
N_ITEMS = 100  # of each task
TOLERANCE = 0.02  # relative; another CPU rounds differently


@pytest.fixture(scope="module", params=sorted(ARCHITECTURES))
def folder(request):
    return BUNDLED / request.param


def encode(tokenizer, text):
    return torch.tensor(tokenizer(text, verbose=False).input_ids)


@pytest.mark.parametrize("task", [task for task in tasks_table() if task.startswith("mini_")])
def test_dense_model_answers_well_above_chance(folder, task):
    loaded = load_model(str(folder), device="cpu")
    requests = choice_requests(loaded, load_items(task, "report", Assets(None), N_ITEMS))
    assert len(requests.gold) == N_ITEMS
    assert accuracy(loaded.adapter, requests, "acc") > 1 / (1 + max(requests.choice)) + 0.1


def test_shipped_folder_is_small_and_complete(folder):
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= names
    assert sum(path.stat().st_size for path in folder.iterdir()) < MAX_BYTES
    assert json.loads((folder / "config.json").read_text())["dtype"] == "float16"


def test_shipped_model_has_the_recorded_perplexity(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    recorded = json.loads((folder / "training.json").read_text())
    # tokens beyond those of the first windows do not matter, so a part of the text is enough
    ids = encode(tokenizer, minilang.text("test")[: FIRST_WINDOWS * WINDOW * 8])
    measured = train_tiny.perplexity(model, ids, FIRST_WINDOWS)
    assert measured == pytest.approx(recorded[f"test_ppl_first_{FIRST_WINDOWS}_windows"], rel=TOLERANCE)


def test_tokenizer_opens_with_bos_and_gives_any_text_back(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = "the fox lives in the forest.\n\nQuestion: Où? 狐 {x} = 3\nAnswer: no"
    ids = tokenizer(text).input_ids
    assert ids[0] == tokenizer.bos_token_id == tokenizer.convert_tokens_to_ids("</s>")
    assert tokenizer.bos_token_id not in ids[1:]
    assert tokenizer.decode(ids[1:]) == text
    assert tokenizer.pad_token == "<pad>"


def test_models_share_one_tokenizer_and_differ_in_family():
    tokenizers = {(BUNDLED / name / "tokenizer.json").read_bytes() for name in ARCHITECTURES}
    configs = [json.loads((BUNDLED / name / "config.json").read_text()) for name in ARCHITECTURES]
    assert len(tokenizers) == 1
    assert {config["model_type"] for config in configs} == {"opt", "llama", "mistral"}
    (mistral,) = (config for config in configs if config["model_type"] == "mistral")
    assert mistral["num_attention_heads"] == 2 * mistral["num_key_value_heads"]
    assert mistral["sliding_window"] < WINDOW


def test_a_few_steps_of_training_lower_the_loss_and_write_a_whole_folder(tmp_path, monkeypatch):
    whole = minilang.text
    monkeypatch.setattr(minilang, "text", lambda split: whole(split)[:80_000])
    out = tmp_path / "mistral-tiny"
    settings = Settings(steps=12, batch=4, warmup=4)
    losses = train_tiny.train("mistral-tiny", out, seed=1, settings=settings)
    assert len(losses) == settings.steps
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3])
    assert [path.name for path in tmp_path.iterdir()] == ["mistral-tiny"]
    recorded = json.loads((out / "training.json").read_text())
    model = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32).eval()
    ids = encode(AutoTokenizer.from_pretrained(out), minilang.text("test"))
    assert train_tiny.perplexity(model, ids, 64) == pytest.approx(recorded["test_ppl_first_64_windows"], rel=1e-5)


def test_one_seed_gives_one_model():
    ids = torch.randint(2, 100, (2000,), generator=torch.Generator().manual_seed(0))
    starts = torch.arange(10, 1500, 50)

    def losses():
        torch.manual_seed(3)
        model = train_tiny.build("opt-tiny", pad_id=0, bos_id=1)
        return train_tiny.fit(model, ids, starts, Settings(steps=3, batch=2))

    assert losses() == losses()


def test_training_refuses_an_unknown_name_and_an_existing_folder(tmp_path):
    with pytest.raises(SparsitySolverError, match="exists already"):
        train_tiny.train("opt-tiny", tmp_path)
    with pytest.raises(SparsitySolverError, match="llama-tiny"):
        train_tiny.train("gpt-tiny", tmp_path / "new")
