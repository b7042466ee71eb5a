"""Addresses of endpoints: what is one, where its secrets may stand, and what is shown of it."""

import pytest

from sparsitysolver.config.chat_address import URL_VARIABLE, Address, address_of
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.provenance import without_secrets

SECRET = "s3cr3t"
PUBLIC = "http://127.0.0.1:9/v1"
WITH_SECRETS = [
    f"http://someone:{SECRET}@127.0.0.1:9/v1",
    f"http://{SECRET}@127.0.0.1:9/v1",
    f"http://127.0.0.1:9/v1?key={SECRET}",
    f"http://127.0.0.1:9/v1/chat/completions/?key={SECRET}",
    f"http://127.0.0.1:9/v1#{SECRET}",
]


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv(URL_VARIABLE, raising=False)


def refusal(url, given_by="--chat-url"):
    with pytest.raises(SparsitySolverError) as caught:
        address_of(url, given_by)
    assert SECRET not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("url", ["localhost:8000/v1", "ftp://host/v1", "http://", "http://host:port/v1", "http://[/v1"])
def test_what_is_no_address(url, monkeypatch):
    assert refusal(url).startswith("--chat-url is no address: http://HOST:PORT/v1 or https://HOST/v1 is needed")
    monkeypatch.setenv(URL_VARIABLE, url)
    assert refusal(None).startswith(f"{URL_VARIABLE} is no address")


@pytest.mark.parametrize("url", [*WITH_SECRETS, f"someone:{SECRET}@host/v1", f"http://user:{SECRET}/x@host/v1"])
def test_an_option_holds_no_secret(url):
    assert f"give such an address by the environment variable {URL_VARIABLE}" in refusal(url)
    assert refusal(url, "chat_url of --config").startswith("chat_url of --config has a user, password, query")


@pytest.mark.parametrize("url", WITH_SECRETS)
def test_the_environment_may(url, monkeypatch):
    monkeypatch.setenv(URL_VARIABLE, f" {url}\n")
    address = address_of(None)
    assert address.shown == PUBLIC and SECRET in address.secrets
    assert SECRET not in repr(address)
    assert address_of(PUBLIC) == address  # the option names the endpoint, the environment how to be let in
    assert address_of("http://other/v1") == Address.parse("http://other/v1", "")


def test_where_requests_go(monkeypatch):
    assert address_of(None) is None and address_of("") is None
    monkeypatch.setenv(URL_VARIABLE, f"http://a:{SECRET}@host:8000/v1/chat/completions?api-version=2")
    address = address_of(None)
    assert address.shown == "http://host:8000/v1"
    assert address.chat == f"http://a:{SECRET}@host:8000/v1/chat/completions?api-version=2"
    assert address.models == f"http://a:{SECRET}@host:8000/v1/models?api-version=2"


def test_secrets_in_every_form():
    address = Address.parse("http://so%40me:pass%2Fword@host/v1?key=a%20b&flag#end", "")
    for form in ("so%40me", "so@me", "pass/word", "so@me:pass/word", "c29AbWU6cGFzcy93b3Jk", "a%20b", "a b", "end"):
        assert form in address.secrets, form


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("--chat-url http://u:p/w@host/v1 x", "--chat-url http://host/v1 x"),
        ("HTTPS://host:1/v1?k=1#f and http://b", "HTTPS://host:1/v1 and http://b"),
        ("no address: a@b?c", "no address: a@b?c"),
    ],
)
def test_addresses_in_a_text(text, shown):
    assert without_secrets(text) == shown
