"""Endpoints, over real HTTP: what is sent, what is tried again, what is refused, and that no secret gets out."""

import base64
import re
import socket
import threading
import time
import traceback

import pytest
from chat_cases import FAST, IMPATIENT

from sparsitysolver.chat import endpoint as module
from sparsitysolver.chat.endpoint import KEY_VARIABLE, Endpoint
from sparsitysolver.chat.prompts import message
from sparsitysolver.chat.settings import ChatSettings, Reply
from sparsitysolver.config.chat_address import Address
from sparsitysolver.errors import SparsitySolverError

KEY = "sk-quite-secret-0123"
SOON = 4  # seconds, also on a busy machine; six attempts take more than sixty
PROMPT = message("a list of 2 pruning rates\nEvery rate lies between 0 and 0.5.\nWrite 3 candidates of it.")


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, KEY)


def endpoint(url, settings=FAST, say=print):
    return Endpoint(Address.parse(url, "--chat-url"), "rules", settings, say)


def ask(url, settings=FAST, said=None):
    return endpoint(url, settings, (said if said is not None else []).append).complete(PROMPT, 7)


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
    sent = {"model": "rules", "messages": PROMPT}
    assert server.requests == [{"path": "/v1/chat/completions", "key": None, "body": sent}]


@pytest.mark.parametrize("fault", ["500", "502", "503", "429", "408", "close", "half"])
def test_what_may_pass_is_tried_again(serve, fault):
    server, said = serve({0: fault, 1: fault}), []
    assert ask(server.url, said=said).attempts == 3
    assert len(server.requests) == 3 and len({str(request) for request in server.requests}) == 1
    assert [line.rpartition("; ")[2] for line in said] == ["attempt 2 of 3 in 0.01 s", "attempt 3 of 3 in 0.02 s"]


@pytest.mark.parametrize(
    ("fault", "settings", "least"),
    [("hang", IMPATIENT, 0.3), ("429 after 1", FAST, 1), ("429 after soon", FAST, 0)],  # the last cannot be read
)
def test_the_endpoint_says_how_long_to_wait(serve, fault, settings, least):
    server, start = serve({0: fault}), time.perf_counter()
    assert ask(server.url, settings).attempts == 2
    assert least <= time.perf_counter() - start < least + SOON


@pytest.mark.parametrize(
    ("faults", "settings", "attempts", "last"),
    [
        ({"all": "429 after 3600"}, FAST, "1 attempt", "status 429, to be asked again after 3600 s"),
        ({0: "500", 1: "close", "all": "503"}, FAST, "3 attempts", "status 503"),
        ({"all": "hang"}, IMPATIENT, "3 attempts", "no answer within 0.3 s"),
    ],
)
def test_after_the_last_attempt_one_sentence_says_all(serve, faults, settings, attempts, last):
    server = serve(faults)
    said = failure(server.url, settings)
    assert f"{server.url} gave no answer in {attempts}; the last one: {last}. " in said
    assert "the same command goes on" in said
    assert len(server.requests) == int(attempts[0])


def unreachable(url):
    """Why nobody could be reached; told at once, under settings by which six attempts would take a minute."""
    start = time.perf_counter()
    said = failure(url, ChatSettings())
    assert time.perf_counter() - start < module._GREETING_SECONDS + SOON
    return said.partition(" cannot be reached: ")[2]


def test_nobody_there_is_told_at_once(serve):
    server = serve()
    server.stop()
    said = unreachable(server.url)
    assert said.startswith("connection refused. Start it, or check --chat-url or SPARSITYSOLVER_CHAT_URL.")
    assert "the same command goes on" in said
    assert "name" in unreachable("http://someone:pass-word@no-such-host.invalid/v1?k=query-secret")


def test_a_look_up_that_hangs_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(module, "_GREETING_SECONDS", 0.2)
    monkeypatch.setattr(module.requests, "request", lambda *_, **__: time.sleep(3 * SOON))
    assert unreachable("http://somewhere/v1").startswith("no connection within 0.2 s")


def test_who_hangs_up_on_a_greeting_is_nobody():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True).start()
        said = unreachable(f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
    assert re.match("the connection was closed|connection reset|broken pipe", said)


def test_who_is_slow_to_greet_may_still_answer(monkeypatch):
    monkeypatch.setattr(module, "_GREETING", (1.0, 0.1))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}/v1").greet()


def test_an_endpoint_is_greeted_once(serve):
    server = serve({1: "500"})
    asked = endpoint(server.url)
    asked.complete(PROMPT, 7)
    port = server.port
    server.stop()
    with pytest.raises(SparsitySolverError, match="gave no answer in 3 attempts; the last one: connection refused"):
        asked.complete(PROMPT, 8)  # it was there: it may come back, so it is tried again
    assert serve(port=port) and asked.complete(PROMPT, 8).attempts == 1


@pytest.mark.parametrize("host", ["a..b", "x" * 70, "€:€@127.0.0.1:9"])
def test_hosts_that_libraries_stumble_over(host):
    assert re.search("cannot (ask|be reached)|ask the chat endpoint", failure(f"http://{host}/v1"))


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
    said = failure(server.url)
    assert len(server.requests) == 1
    assert re.search(named, said), said


@pytest.mark.parametrize(
    ("key", "fault", "begin"), [(f"{KEY}\n", "echo", "Your key is Bearer ***. [["), ("0", None, "[[0.")]
)
def test_a_reply_never_has_the_key_and_a_dummy_key_spoils_none(serve, monkeypatch, tmp_path, key, fault, begin):
    """A key is cleaned of the end of its line, and no ``.netrc`` takes its place."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password other")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv(KEY_VARIABLE, key)
    server = serve({0: fault})
    assert ask(server.url).text.startswith(begin)
    assert server.requests[0]["key"] == f"Bearer {key.strip()}"


@pytest.mark.parametrize("bad", ["sk-quite secret-0123", "sk-quite\nsecret-0123", "sk-quitesecrét"])
def test_what_is_no_key_is_refused_unseen(monkeypatch, bad):
    monkeypatch.setenv(KEY_VARIABLE, bad)
    with pytest.raises(SparsitySolverError, match="the key in SPARSITYSOLVER_CHAT_KEY has characters") as caught:
        endpoint("http://localhost/v1")
    assert "quite" not in str(caught.value)


def test_an_address_is_used_whole_and_shown_without_its_secrets(serve):
    server = serve({0: "500", 1: "500", 2: "500"})
    url = f"http://user:pass-word@127.0.0.1:{server.port}/v1/chat/completions?api-key=query-secret"
    assert endpoint(url).identity() == {"kind": "endpoint", "model": "rules", "url": server.url}
    assert f"endpoint {server.url} gave" in failure(url)
    assert server.requests[0]["path"] == "/v1/chat/completions?api-key=query-secret"
    server.stop()
    assert "connection refused" in failure(url)


def test_what_an_endpoint_says_of_the_address_is_hidden(serve, monkeypatch):
    """Without a key user and password are sent as a header, which this endpoint says back."""
    monkeypatch.delenv(KEY_VARIABLE)
    server, login = serve({0: "400", 1: "echo"}), base64.b64encode(b"someone:pass-word").decode()
    url = f"http://someone:pass-word@127.0.0.1:{server.port}/v1?api-key=query-secret"
    said = failure(url)
    assert login not in said and "no. You sent Basic ***" in said
    assert ask(url).text.startswith("Your key is Basic ***. ")
    assert server.requests[0]["key"] == f"Basic {login}"


def test_replies_without_text_or_usage():
    nothing = {"choices": [{"message": {"content": None}}], "usage": "many"}
    assert endpoint("http://localhost/v1")._reply(nothing, 2) == Reply("", "rules", None, None, 2)
