"""The command ``search --algorithm self_pruner``: which options go together, a dead endpoint, a replay, no secrets."""

import json

import numpy as np
import pytest
from tiny import tiny_folder, tiny_ids, tiny_model, tiny_text, tiny_tokenizer

from sparsitysolver.chat.endpoint import KEY_VARIABLE
from sparsitysolver.cli import main
from sparsitysolver.config.chat_address import URL_VARIABLE
from sparsitysolver.provenance import Clock
from sparsitysolver.records.files import read_record

pytestmark = pytest.mark.filterwarnings("ignore")
KEY = "sk-quite-secret-0123"
SECRETS = (KEY, "pass-word", "query-secret")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A working folder with calibration ids and a text."""
    np.save(tmp_path / "ids.npy", tiny_ids(8, 16))
    (tmp_path / "text.txt").write_text(tiny_text(300))
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(*options, model=None, algorithm="self_pruner"):
    common = "--calibration ids.npy --seqlen 16 --text text.txt --sparsity 0.2 --episodes 40 --reward-windows 2"
    model = model or str(tiny_folder("llama"))
    return ["search", model, "--algorithm", algorithm, *common.split(), *map(str, options)]


def failure(capsys, arguments):
    """What a command that must fail says: one line, status 2, no secret."""
    capsys.readouterr()
    assert main(arguments) == 2
    said = capsys.readouterr()
    line = said.err.splitlines()[-1]
    assert line.startswith("sparsitysolver: error: ")
    assert [secret for secret in SECRETS if secret in said.err + said.out] == []
    return line


def url_of(server):
    return f"http://user:pass-word@127.0.0.1:{server.port}/v1?api=query-secret"


FAST = ("--chat-set", "backoff=0.01", "--chat-set", "attempts=2")


def test_a_dead_endpoint_a_resumed_search_and_its_replay(serve, place, capsys, monkeypatch):
    options = ("--chat-model", "rules", *FAST, "--out", "x.json")
    server = serve({1: "500", 5: "503", 6: "503"})  # the first population is there by then
    monkeypatch.setenv(URL_VARIABLE, url_of(server))
    line = failure(capsys, command(*options))
    assert f"the chat endpoint {server.url} gave no answer in 2 attempts; the last one: status 503" in line
    assert (place / "x.checkpoint").is_file() and not (place / "x.json").exists()
    server.stop()
    assert "connection refused" in failure(capsys, command(*options))
    again = serve(port=server.port)
    assert main(command("--chat-url", again.url, *options)) == 0  # the address is the same, told by the option
    assert main(command("--replay", "x.chat.jsonl", "--out", "y.json")) == 0
    found, replayed = (read_record(name, "strategy") for name in ("x.json", "y.json"))
    assert found["run"]["resumed_at"] == 30 and not (place / "x.checkpoint").exists()
    assert found["units"] == replayed["units"] and found["found"]["notes"] == replayed["found"]["notes"]
    assert found["found"]["driver"]["settings"]["attempts"] == 2
    assert replayed["found"]["driver"]["recorded"] == {"kind": "endpoint", "model": "rules", "url": server.url}
    (place / "requests.jsonl").unlink()
    texts = {path.name: path.read_bytes() for path in place.iterdir()}
    for secret in SECRETS:
        assert [name for name, content in texts.items() if secret.encode() in content] == []


@pytest.mark.parametrize(
    ("algorithm", "options", "message"),
    [
        ("self_pruner", [], "give --chat-url URL (or set SPARSITYSOLVER_CHAT_URL) and --chat-model NAME"),
        ("self_pruner", ["--chat-url", "http://u:pass-word@h/v1", "--chat-model", "m"], "SPARSITYSOLVER_CHAT_URL"),
        ("self_pruner", ["--chat-url", "http://127.0.0.1:9/v1", "--chat-model", "m"], "reached: connection refused"),
        ("self_pruner", ["--chat-url", "http://localhost/v1"], "--chat-url alone found"),
        ("self_pruner", ["--replay", "x", "--chat-model", "m"], "give --replay alone, not --chat-model, --replay"),
        ("self_pruner", ["--replay", "x"], "no recorded conversation at x"),
        ("self_pruner", ["--chat-url", "nowhere", "--chat-model", "m"], "--chat-url is no address"),
        ("self_pruner", ["--chat-model", "./nowhere"], "no model folder at ./nowhere"),
        ("self_pruner", ["--chat-model", "m", "--chat-set", "x=1"], "unknown setting of --chat-set 'x'"),
        ("evolution", ["--chat-model", "m"], "'evolution' asks no chat model: leave out --chat-model"),
        ("ppo", ["--replay", "x"], "'ppo' asks no chat model: leave out --replay, or take --algorithm self_pruner"),
    ],
)
def test_options_are_checked_before_the_model_is_loaded(place, capsys, algorithm, options, message):
    arguments = command(*options, "--out", "x.json", model="./no-model", algorithm=algorithm)
    assert message in failure(capsys, arguments)


def test_prune_sends_its_user_to_search(capsys):
    arguments = ["prune", "./no-model", "--method", "sparsitysolver", "--algorithm", "self_pruner", "--out", "folder"]
    assert "find a strategy by 'sparsitysolver search' first, and give it by --strategy" in failure(capsys, arguments)


def test_the_command_is_kept_without_secrets(monkeypatch):
    """No option takes them; still, what a record keeps of a command has none."""
    monkeypatch.setattr("sys.argv", ["sparsitysolver", "--chat-url", "http://u:pass-word@h/v1?k=query-secret", "--x"])
    assert Clock().record()["command"] == "sparsitysolver --chat-url http://h/v1 --x"


def test_a_command_without_such_an_option_does_not_repeat_its_secret(capsys):
    assert main(["evaluate", "opt-tiny", "--chat-url", "http://u:pass-word@h/v1?k=query-secret"]) == 2
    said = capsys.readouterr().err
    assert "unrecognized arguments: --chat-url http://h/v1" in said


def test_a_random_model_of_the_machine_talks_nonsense(place, capsys):
    tiny_model("llama", max_position_embeddings=2048).save_pretrained("babbler")
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }} {% endfor %}"
    tokenizer.save_pretrained("babbler")
    arguments = command("--chat-model", "babbler", "--chat-set", "max_tokens=4", "--out", "x.json")
    line = failure(capsys, arguments)
    assert "the chat model babbler gave no usable candidate for the first population" in line
    assert "in its 3 replies so far: malformed 3," in line
    recorded = [json.loads(line) for line in (place / "x.chat.jsonl").read_text().splitlines()]
    assert [one["driver"]["kind"] for one in recorded] == ["transformers"] * 3
    assert len({one["reply"] for one in recorded}) == 3
    assert failure(capsys, command("--replay", "x.chat.jsonl", "--out", "y.json")) == line
