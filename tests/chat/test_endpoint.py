"""Endpoints, over real HTTP: what is sent, what is tried again, what is refused, and that no secret gets out."""

import re
import time
import traceback

import pytest
from chat_cases import FAST, IMPATIENT

from sparsitysolver.chat.driver import Reply
from sparsitysolver.chat.endpoint import KEY_VARIABLE, Endpoint
from sparsitysolver.chat.settings import ChatSettings
from sparsitysolver.errors import SparsitySolverError

KEY = "sk-quite-secret-0123"
PROMPT = [
    {
        "role": "user",
        "content": "a list of 2 pruning rates\nEvery rate lies between 0 and 0.5.\nWrite 3 candidates of it.",
    }
]


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, KEY)


def ask(url, settings=FAST, said=None):
    return Endpoint(url, "rules", settings, (said if said is not None else []).append).complete(PROMPT, 7)


def failure(url, settings=FAST):
    """The message of a failure; nothing that a traceback would show has the key or the password."""
    with pytest.raises(SparsitySolverError) as caught:
        ask(url, settings)
    shown = "".join(traceback.format_exception(caught.value)) + str(caught.value)
    assert KEY not in shown and "pass-word" not in shown and "query-secret" not in shown
    return str(caught.value)


def test_an_answer_and_what_is_sent_for_it(serve):
    server = serve()
    reply = ask(server.url)
    assert (reply.model, reply.finish, reply.attempts) == ("rules-0", "stop", 1)
    assert reply.usage == {"prompt_tokens": 100, "completion_tokens": 10}
    assert reply.text.startswith("[[0.")
    sent = {"model": "rules", "messages": PROMPT, "temperature": 1.0, "max_tokens": 16384, "seed": 7}
    assert server.requests == [{"path": "/v1/chat/completions", "key": f"Bearer {KEY}", "body": sent}]


def test_what_is_left_to_the_endpoint_is_not_sent(serve, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE)
    server = serve()
    ask(server.url + "/", ChatSettings(temperature=None, max_tokens=None, send_seed=False))
    assert server.requests == [
        {"path": "/v1/chat/completions", "key": None, "body": {"model": "rules", "messages": PROMPT}}
    ]


@pytest.mark.parametrize("fault", ["500", "502", "503", "429", "408", "close", "half"])
def test_what_may_pass_is_tried_again(serve, fault):
    server, said = serve({0: fault, 1: fault}), []
    assert ask(server.url, said=said).attempts == 3
    assert len(server.requests) == 3 and len({str(request) for request in server.requests}) == 1
    assert [line.rpartition("; ")[2] for line in said] == ["attempt 2 of 3 in 0.01 s", "attempt 3 of 3 in 0.02 s"]


def test_a_slow_answer_is_tried_again(serve):
    assert ask(serve({0: "hang"}).url, IMPATIENT).attempts == 2


def test_the_endpoint_says_how_long_to_wait(serve):
    server, start = serve({0: "429 after 1"}), time.perf_counter()
    assert ask(server.url).attempts == 2
    assert 1 <= time.perf_counter() - start < 2.5


def test_a_wait_that_cannot_be_read_is_ours(serve):
    assert ask(serve({0: "429 after soon"}).url).attempts == 2


def test_nobody_waits_for_ever(serve):
    server = serve({"all": "429 after 3600"})
    message = failure(server.url)
    assert (
        f"{server.url} gave no answer in 1 attempt; the last one: status 429, to be asked again after 3600 s" in message
    )
    assert len(server.requests) == 1


def test_after_the_last_attempt_one_sentence_says_all(serve):
    server = serve({0: "500", 1: "close", "all": "503"})
    message = failure(server.url)
    assert f"{server.url} gave no answer in 3 attempts; the last one: status 503." in message
    assert "the same command goes on" in message
    assert len(server.requests) == 3


def test_nobody_there(serve):
    server = serve()
    server.stop()
    assert f"{server.url} gave no answer in 3 attempts; the last one: connection refused." in failure(server.url)


def test_slow_is_named_so(serve):
    assert "no answer within 0.3 s" in failure(serve({"all": "hang"}).url, IMPATIENT)


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ("401", "status 401.* Set the key in SPARSITYSOLVER_CHAT_KEY"),
        ("403", "status 403.* Check the key"),
        ("404", "status 404.* Check --chat-url"),
        ("400", "refuses model 'rules' with status 400: .*no. You sent Bearer \\*\\*\\*"),
        ("302", "status 302"),
        ("no json", "does not speak the chat protocol.*<html>Welcome</html>"),
        ("no choices", "choices\\[0\\].message.content is needed, found .*Bearer \\*\\*\\*"),
    ],
)
def test_what_will_not_pass_is_an_error_at_once(serve, fault, named):
    server = serve({"all": fault})
    message = failure(server.url)
    assert len(server.requests) == 1
    assert re.search(named, message), message


def test_a_reply_never_has_the_key(serve):
    assert "Your key is Bearer ***. [[" in ask(serve({0: "echo"}).url).text


def test_a_dummy_key_spoils_no_reply(serve, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "0")
    assert ask(serve().url).text.startswith("[[0.")


def test_a_key_is_cleaned_of_the_end_of_its_line(serve, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, f"{KEY}\n")
    server = serve()
    ask(server.url)
    assert server.requests[0]["key"] == f"Bearer {KEY}"


@pytest.mark.parametrize("bad", ["sk-quite secret-0123", "sk-quite\nsecret-0123", "sk-quitesecrét"])
def test_what_is_no_key_is_refused_unseen(monkeypatch, bad):
    monkeypatch.setenv(KEY_VARIABLE, bad)
    with pytest.raises(SparsitySolverError, match="the key in SPARSITYSOLVER_CHAT_KEY has characters") as caught:
        Endpoint("http://localhost/v1", "rules")
    assert "quite" not in str(caught.value)


def test_a_netrc_does_not_take_the_keys_place(serve, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password other")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server = serve()
    ask(server.url)
    assert server.requests[0]["key"] == f"Bearer {KEY}"


def test_an_address_is_used_whole_and_shown_without_its_secrets(serve):
    server = serve({0: "500", 1: "500", 2: "500"})
    url = f"http://user:pass-word@127.0.0.1:{server.port}/v1/chat/completions?api-key=query-secret"
    assert Endpoint(url, "rules").identity() == {"kind": "endpoint", "model": "rules", "url": server.url}
    assert f"endpoint {server.url} gave" in failure(url)
    assert server.requests[0]["path"] == "/v1/chat/completions?api-key=query-secret"
    server.stop()
    assert "connection refused" in failure(url)


@pytest.mark.parametrize("url", ["localhost:8000/v1", "ftp://host/v1", "http://", "http://host:port/v1", "http://[/v1"])
def test_what_is_no_address(url):
    with pytest.raises(SparsitySolverError, match="--chat-url is no address: http://HOST:PORT/v1"):
        Endpoint(url, "rules")


def test_replies_without_text_or_usage():
    endpoint = Endpoint("http://localhost/v1", "rules", FAST)
    nothing = {"choices": [{"message": {"content": None}}], "usage": "many"}
    assert endpoint._reply(nothing, 2) == Reply("", "rules", None, None, 2)
