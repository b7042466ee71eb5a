"""Settings of a run: what is misspelt or senseless is refused, and what is given reaches the searches it concerns."""

import pytest

from sparsitysolver.config.chat_address import URL_VARIABLE
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.plans.arena import Arena
from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.plans.grid import Grid

COUNTS = ("limit", "episodes", "reward_windows", "reward_items", "task_episodes", "arena_episodes", "inference_rounds")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("episode", "episodes"), ("reuse_episode", "reuse_episodes"), ("inference_round", "inference_rounds")],
)
def test_a_misspelt_setting_is_refused_and_the_near_one_named(name, meant):
    with pytest.raises(SparsitySolverError, match=rf"unknown setting of a run .*'{name}'; did you mean .*{meant}.*\?"):
        Grid({"grid": "tiny", name: 3})
    with pytest.raises(SparsitySolverError, match="did you mean mini_boolq"):
        Grid({"grid": "tiny", "tasks": "mini_bolq"})


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_whole_and_positive(name):
    for given in ("0", 0, "-1", "many", 1.5):
        with pytest.raises(SparsitySolverError, match=f"^{name}={given}: a number of at least 1 is needed"):
            Grid({"grid": "tiny", name: given})


def test_settings_reach_the_searches_they_concern():
    usual = Grid({"grid": "tiny"}).searches
    given = {"episodes": 7, "task_episodes": 5, "reward_windows": 3, "reward_items": 9, "criterion": "wanda_sp"}
    changed = Grid({"grid": "tiny", **given, "budget": "projection"}).searches
    shared = {"reward_windows": 3, "budget": "projection"}
    assert changed["unstructured"] == usual["unstructured"] | shared | {"episodes": 7}
    assert changed["structured"] == changed["unstructured"] | {"criterion": "wanda_sp"}
    assert changed["task"] == usual["task"] | {"episodes": 5, "reward_items": 9, "budget": "projection"}
    assert changed["first"] == usual["first"] | shared | {"criterion": "wanda_sp"}
    assert Grid({"grid": "tiny", "episodes": "7"}).searches == Grid({"grid": "tiny", "episodes": 7}).searches


def chat(**config):
    return Grid({"grid": "tiny", **config}).chat


@pytest.mark.parametrize("url", ["http://u:s3cr3t@h:9/v1", "http://h:9/v1?key=s3cr3t", "http://h:9/v1/#s3cr3t"])
def test_an_endpoint_of_the_environment_is_named_without_its_secrets(url, monkeypatch):
    asked = {"chat_url": "http://h:9/v1", "chat_model": "m"}
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    assert chat(**asked) == asked
    with pytest.raises(SparsitySolverError, match=f"chat_url of --config .* variable {URL_VARIABLE}") as caught:
        chat(**asked | {"chat_url": url})
    assert "s3cr3t" not in str(caught.value)
    monkeypatch.setenv(URL_VARIABLE, url)
    assert chat(chat_model="m") == asked
    assert chat() == {}  # no model, nobody to ask
    assert chat(replay="x.chat.jsonl") == {"replay": "x.chat.jsonl"}
    assert chat(**asked | {"chat_url": "http://other/v1"}) == asked | {"chat_url": "http://other/v1"}
    with pytest.raises(SparsitySolverError, match="chat_model is the model's name: give the endpoint's address by"):
        chat(chat_model="http://u:s3cr3t@h/v1")


def test_keys_know_the_endpoint_and_no_secret(monkeypatch):
    """One key whichever way the endpoint was named, whatever the password; another endpoint has another."""

    def search(url, **config):
        monkeypatch.setenv(URL_VARIABLE, url)
        arena = Arena(Artefacts(Grid({"grid": "tiny", "chat_model": "m", **config})))
        job = arena.search(arena.problems()[0], "self_pruner")
        return job.options, job.path

    named = search("", chat_url="http://h:9/v1")
    assert named == search("http://u:s3cr3t@h:9/v1") == search("http://h:9/v1?k=other")
    assert "--chat-url http://h:9/v1 --chat-model m" in named[0]
    assert search("http://u:s3cr3t@h:8/v1")[1] != named[1]
