"""Conversations: logged, taken up where they stopped, replayed."""

import json

import pytest
from chat_cases import Parrot

from sparsitysolver.chat.conversation import Conversation, Replay, read_conversation
from sparsitysolver.chat.prompts import message
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import file_sha256

QUESTIONS = [message("one"), message("two"), message("two"), message("three")]


def talk(log, driver, questions=QUESTIONS, seed=3, said=None):
    conversation = Conversation(driver, log, seed, (said if said is not None else []).append)
    return [conversation.ask(question) for question in questions]


@pytest.fixture
def log(tmp_path):
    """A whole conversation."""
    talk(tmp_path / "x.chat.jsonl", Parrot())
    return tmp_path / "x.chat.jsonl"


def test_a_line_is_an_exchange(log):
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(lines) == 4
    assert lines[1] == {
        "driver": {"kind": "parrot", "model": "parrot", "url": None},
        "sampling": {"temperature": 1.0, "max_tokens": 16384, "send_seed": True},
        "seed": lines[1]["seed"],
        "messages": [{"role": "user", "content": "two"}],
        "reply": "two: é \u2028 2",
        "model": "polly",
        "usage": {"prompt_tokens": 3},
        "finish": None,
        "attempts": 1,
        "seconds": lines[1]["seconds"],
        "seen": None,  # no search said what it had seen
    }
    assert len({line["seed"] for line in lines}) == 4  # the same question twice is not the same draw


def test_nothing_is_asked_twice(log):
    before, again = log.read_bytes(), Parrot()
    assert [reply.text[-1] for reply in talk(log, again)] == ["1", "2", "3", "4"]
    assert again.asked == [] and log.read_bytes() == before


def test_a_log_torn_anywhere_is_taken_up_there(log):
    whole = log.read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == 10]
    for length in range(0, len(whole), 13):
        log.write_bytes(whole[:length])
        driver = Parrot()
        talk(log, driver)
        kept = sum(end - 1 <= length for end in ends)  # a line is whole without its end, too
        assert len(driver.asked) == 4 - kept
        assert [exchange.messages for exchange in read_conversation(log)] == QUESTIONS


def test_replies_are_on_disk_before_the_next_question(tmp_path):
    with pytest.raises(RuntimeError):
        talk(tmp_path / "log", Parrot(most=2))
    assert len(read_conversation(tmp_path / "log")) == 2
    driver = Parrot()
    talk(tmp_path / "log", driver)
    assert [messages for messages, _ in driver.asked] == QUESTIONS[2:]


@pytest.mark.parametrize(
    ("driver", "seed", "questions", "kept"),
    [
        (Parrot(), 3, [*QUESTIONS[:2], message("else"), QUESTIONS[3]], 2),
        (Parrot(), 4, QUESTIONS, 0),
        (Parrot(model="other"), 3, QUESTIONS, 0),
    ],
)
def test_another_request_cuts_the_log_off(log, driver, seed, questions, kept):
    said = []
    talk(log, driver, questions, seed, said)
    assert len(driver.asked) == 4 - kept
    assert said == [f"{log}: exchange {kept} is another one: the conversation goes on from there"]
    assert [exchange.messages for exchange in read_conversation(log)] == questions


def test_a_replay_says_the_same(log):
    replay = Replay(log)
    assert [replay.ask(question) for question in QUESTIONS] == talk(log, Parrot())
    assert replay.identity() == {"kind": "replay", "sha256": file_sha256(log)}
    assert replay.record() == {
        "kind": "replay",
        "sha256": file_sha256(log),
        "model": "parrot",
        "url": None,
        "recorded": {"kind": "parrot", "model": "parrot", "url": None},
        "settings": {"temperature": 1.0, "max_tokens": 16384, "send_seed": True},
    }
    with pytest.raises(SparsitySolverError, match="ends after 4 exchanges and the search asks for more"):
        replay.ask(QUESTIONS[0])
    replay = Replay(log)
    replay.ask(QUESTIONS[0])
    with pytest.raises(SparsitySolverError, match="exchange 1 of .* answers other messages"):
        replay.ask(message("else"))


EXCHANGE = {"driver": {"kind": "x", "model": "y"}, "sampling": {}, "seed": 1, "messages": [], "reply": "", "model": ""}
EXCHANGE |= {"usage": None, "finish": None, "attempts": 1, "seconds": 0.5}


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (None, "no recorded conversation at"),
        (b"\xff\xfe", "is not a recorded conversation"),
        (b"", "holds no whole exchange"),
        (b'{"torn', "holds no whole exchange"),
        (b'{"torn\n{"messages": []}\n', "line 1: broken JSON"),
        (b'{"messages": []}\n', "line 1: not an exchange"),
        (b"[1]\n", "line 1: not an exchange"),
        (json.dumps(EXCHANGE | {"driver": {}}).encode(), "line 1: not an exchange"),
        (json.dumps(EXCHANGE | {"seen": [{"role": "any"}]}).encode(), "line 1: not an exchange"),
        (json.dumps(EXCHANGE | {"seed": "1"}).encode(), "line 1: not an exchange"),
    ],
)
def test_what_is_no_conversation(tmp_path, content, named):
    if content is not None:
        (tmp_path / "x").write_bytes(content)
    with pytest.raises(SparsitySolverError, match=named):
        Replay(tmp_path / "x")
