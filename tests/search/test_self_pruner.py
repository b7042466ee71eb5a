"""Self-Pruner: searches whose candidates come over real HTTP from a server that answers by rules, and misbehaves."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from chat_cases import FAST
from search_cases import COSTS, curve, interrupt, journal, problem
from search_cases import search as search_model

from sparsitysolver.chat.conversation import Conversation, Replay, read_conversation
from sparsitysolver.chat.endpoint import KEY_VARIABLE, Endpoint
from sparsitysolver.chat.prompts import prompt
from sparsitysolver.chat.proposals import Counts
from sparsitysolver.chat.settings import Reply
from sparsitysolver.config.chat_address import Address
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning.units import kept_weights
from sparsitysolver.records.files import canonical_json, content_key
from sparsitysolver.search.algorithms import self_pruner
from sparsitysolver.search.problem import Problem
from sparsitysolver.search.trials import TRIALS_PER_CHECKPOINT

pytestmark = pytest.mark.filterwarnings("ignore")
KEY = "sk-quite-secret-0123"
SOME = {0: "500", 3: "429", 5: "close", 7: "half"}


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, KEY)


def talk(server, folder, name="x", model="rules"):
    endpoint = Endpoint(Address.parse(server.url, "the test"), model, FAST, str)
    return Conversation(endpoint, folder / f"{name}.chat.jsonl", 3, str)


def run(server, folder, episodes=60, name="x", **changes):
    """A search on units of a known landscape: (what it found, its journal)."""
    kept = journal(folder, name)
    return self_pruner.run(problem(**changes), kept, episodes, 3, driver=talk(server, folder, name)), kept


def notes(server, folder, episodes=60):
    """Of a search's notes what is not 0, without what it always has."""
    always = {"asked", "proposed", "accepted", "replies", "prompt_tokens", "completion_tokens", "answered_by"}
    found = run(server, folder, episodes)[0].notes
    return {name: value for name, value in found.items() if value and name not in always}


def same_strategy(one, other):
    """Two strategies without what was measured on the way, and without who answered."""
    bare = [{**s, "run": None, "found": {**s["found"], "driver": None}} for s in (one, other)]
    return canonical_json(bare[0]) == canonical_json(bare[1])


def prompts(server):
    return [request["body"]["messages"][0]["content"] for request in server.requests]


def rows(prompt):
    """The population of a prompt: [index, perplexity, rates]."""
    lines = [line.split(" ", 2) for line in prompt.splitlines() if line.endswith("]") and line[0].isdigit()]
    return [(int(index), ppl, json.loads(rates)) for index, ppl, rates in lines]


# --- what is asked --------------------------------------------------------------------------------------------------


def test_a_search_asks_for_candidates_and_scores_them_in_order(serve, tmp_path):
    found, kept = run(server := serve(), tmp_path)
    assert len(kept.episodes) == 60 and len({tuple(episode.kept) for episode in kept.episodes}) == 60
    assert all(kept_weights(problem().units, episode.kept) <= 0.8 * 3200 for episode in kept.episodes)
    expected = {"asked": 60, "replies": 6, "proposed": 60, "accepted": 60, "answered_by": ["rules-0"]}
    assert expected.items() <= found.notes.items()
    assert (found.notes["prompt_tokens"], found.notes["completion_tokens"]) == (600, 60)
    assert found.notes.keys() == asdict(Counts()).keys() | {"answered_by"}
    replies = [json.loads(exchange.reply) for exchange in read_conversation(tmp_path / "x.chat.jsonl")]
    rates = [one["rates"] if isinstance(one, dict) else one for reply in replies for one in reply]
    assert [episode.kept for episode in kept.episodes] == [problem().fit(1 - np.array(one)) for one in rates]
    asked = prompts(server)
    kinds = [next(kind for kind in ("crossover", "mutation", "first population") if kind in prompt) for prompt in asked]
    assert kinds == ["first population"] * 3 + ["crossover", "mutation", "crossover"]
    assert "8 pruning rates" in asked[0] and "between 0 and 0.5." in asked[0]
    assert "share of the weights, is 0.2;" in asked[0] and "3 u3 ffn 40 0.1250\n" in asked[0]
    assert "Proposed already" not in asked[0] and asked[2].count("\n[") == 20  # candidates of the same round
    shown = rows(asked[3])
    assert [index for index, _, _ in shown] == list(range(30))
    assert [ppl for _, ppl, _ in shown] == [f"{episode.ppl:.4g}" for episode in kept.episodes[:30]]
    assert shown[7][2] == pytest.approx([1 - count / 40 for count in kept.episodes[7].kept], abs=1e-3)
    best = sorted(episode.ppl for episode in kept.episodes[:50])[:30]
    assert [ppl for _, ppl, _ in rows(asked[5])] == [f"{ppl:.4g}" for ppl in best]


def test_a_prompt_to_the_letter():
    """Recorded conversations can be replayed only while prompts stay as they are."""
    units, bounds = problem().units[:2], problem().bounds
    shown = [(math.inf, 0.0, np.array([0.1, 0.30004])), (12.3456, 0.81, np.array([0.2, 0.2]))]
    faults = {"refused": [f"fault {number}" for number in range(12)], "failures": 1}
    asked = {"wanted": 3, "parents": 2, "proposed": 30}
    whole = prompt(units, 0.2, bounds, shown, [np.array([0.25, 0.15])], **asked, **faults)
    assert "fault 9\nand 2 more such faults\n\nMake 3 candidates by crossover." in whole[0]["content"]
    assert content_key(whole) == "7a065767d92e308d"
    asked |= {"parents": 1, "refused": [], "failures": 0}
    rewarded = prompt(units, 0.2, bounds, [(None, 0.51234, np.array([0.2, 0.2]))], [], **asked)[0]["content"]
    assert "index, reward (the higher the better) of" in rewarded and "\n0 0.5123 [0.2, 0.2]\n\nMake 3" in rewarded
    assert '"parents": [3], "rates"' in rewarded


def test_a_broken_candidate_is_called_so(serve, tmp_path):
    calls = iter(range(1000))

    def losses(kept, windows):
        return np.full(len(windows), np.inf if next(calls) == 4 else 2.0 + COSTS @ (1 - np.array(kept) / 40) ** 2)

    run(server := serve(), tmp_path, 31, losses=losses)
    assert rows(prompts(server)[3])[4][1] == "broken"


def test_an_unchanged_population_is_not_asked_about_in_the_same_words(serve, tmp_path):
    """Else a model at temperature 0 would give the offspring again that did not live on."""
    calls = iter(range(1000))
    found, _ = run(server := serve(), tmp_path, 130, losses=lambda kept, windows: np.full(4, 2 + next(calls) / 100))
    assert rows(prompts(server)[3]) == rows(prompts(server)[-1])
    assert len(set(prompts(server))) == 13 and found.notes["repeated"] == 0


# --- what comes back ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "fault", "expected"),
    [
        (1, "prose", {}),
        (3, "fence", {}),
        (0, "refusal", {"malformed": 1, "asked_again": 1}),
        (3, "cut", {"malformed": 1, "cut": 1, "asked_again": 1}),
        (0, "short", {"wrong_length": 10, "asked_again": 1}),
        (1, "range", {"out_of_range": 10}),
        (4, "percent", {"out_of_range": 10, "asked_again": 1}),
        (2, "nan", {"not_a_number": 10, "asked_again": 1}),
        (2, "text", {"not_a_number": 10, "asked_again": 1}),
        (0, "repeat", {"repeated": 9, "asked_again": 1}),
        (3, "no parents", {"wrong_parents": 10, "asked_again": 1}),
        (4, "false parents", {"wrong_parents": 10, "asked_again": 1}),
        (1, "fewer", {"asked_again": 1}),
        (1, "more", {"surplus": 2, "out_of_range": 2}),
        (1, "500", {"retries": 1}),
    ],
)
def test_faults_are_counted_and_made_good(serve, tmp_path, number, fault, expected):
    found = notes(server := serve({number: fault}), tmp_path)
    repaired = found.pop("repaired")
    assert found == expected and (10 if fault == "range" else 1) <= repaired <= 60
    if "asked_again" in expected:
        assert "Of your reply number 1 not everything could be used:" in prompts(server)[number + 1]


def test_only_what_misses_bounds_or_mean_counts_as_repaired(tmp_path):
    exact = [[0.2] * 8, [0.1, 0.3] * 4, [0.3, 0.1] * 4, [0.1] * 8]  # the last one misses the mean
    found = self_pruner.run(problem(), journal(tmp_path), 4, 0, driver=Scripted([exact]))
    assert (found.notes["repaired"], found.notes["accepted"]) == (1, 4)


class Scripted:
    """A chat whose replies are given; None is no candidate."""

    def __init__(self, replies):
        self._replies = iter(replies)

    def ask(self, messages):
        return Reply(json.dumps(next(self._replies)), "script")


def test_what_a_model_fails_to_give_is_missing(serve, tmp_path):
    """Crossover fails three times: the generation goes on with the mutants alone, and the budget is spent later."""
    found, kept = run(serve({3: "refusal", 4: "refusal", 5: "short"}), tmp_path)
    assert (found.notes["missing"], found.notes["asked_again"], found.notes["accepted"]) == (10, 2, 60)
    assert len(kept.episodes) == 60


def test_a_generation_of_nothing_ends_the_search_with_its_state_saved(serve, tmp_path):
    server = serve(dict.fromkeys(range(3, 9), "refusal"))
    with pytest.raises(SparsitySolverError, match="rules-0 gave no usable candidate for a generation.*malformed 6,"):
        run(server, tmp_path)
    assert len(server.requests) == 9 and len(curve(tmp_path / "x.curve.csv")) == 30
    assert len(read_conversation(tmp_path / "x.chat.jsonl")) == 9


def test_a_first_population_of_nothing_ends_it_too(serve, tmp_path):
    server = serve({"all": "refusal"})
    with pytest.raises(SparsitySolverError, match="no usable candidate for the first population"):
        run(server, tmp_path)
    assert len(server.requests) == 3
    with pytest.raises(SparsitySolverError, match="'self_pruner' needs a driver"):
        self_pruner.run(problem(), journal(tmp_path), 60, 3)


def test_crossover_needs_two_parents(serve, tmp_path):
    """Where only one candidate came, it is mutated; no more are asked for than the budget holds."""
    found, kept = run(server := serve({0: "repeat", 1: "refusal", 2: "refusal"}), tmp_path, 8)
    assert "Write 8 candidates" in prompts(server)[0]
    assert len(kept.episodes) == 8 and found.notes["accepted"] == 8


# --- stopping, going on, replaying ----------------------------------------------------------------------------------


def find(server, folder, name="x", driver=None):
    """A whole search on a tiny model."""
    return search_model(folder, name, algorithm="self_pruner", driver=driver or talk(server, folder, name))


@pytest.fixture
def whole(serve, tmp_path):
    """A strategy, and the server that made it."""
    server = serve(SOME)
    return find(server, tmp_path), len(server.requests)


def test_a_strategy_says_who_drove_the_search(whole, tmp_path):
    strategy, _ = whole
    driver = strategy["found"]["driver"]
    url = read_conversation(tmp_path / "x.chat.jsonl")[0].driver["url"]
    assert driver == {"kind": "endpoint", "model": "rules", "url": url, "settings": asdict(FAST)}
    assert strategy["found"]["notes"]["retries"] == 4
    sizes = {"population": 30, "crossovers": 10, "mutations": 10}
    assert strategy["found"]["agent"] == sizes | {"per_request": 10, "asked_again": 2, "mean_tolerance": 0.005}


def test_a_replay_finds_the_identical_strategy(whole, tmp_path):
    strategy, _ = whole
    again = find(None, tmp_path, "y", Replay(tmp_path / "x.chat.jsonl"))
    assert same_strategy(strategy, again)
    assert curve(tmp_path / "x.curve.csv") == curve(tmp_path / "y.curve.csv")
    driver = again["found"]["driver"]
    assert (driver["kind"], driver["model"], driver["url"]) == ("replay", "rules", strategy["found"]["driver"]["url"])
    assert not (tmp_path / "y.chat.jsonl").exists()
    with pytest.raises(SparsitySolverError, match="exchange 0 of .* answers other messages"):
        search_model(tmp_path, "y", algorithm="self_pruner", sparsity=0.3, driver=Replay(tmp_path / "x.chat.jsonl"))


@pytest.mark.parametrize("episode", [2, 36, 52])
def test_a_search_that_was_stopped_goes_on_and_asks_nothing_twice(whole, serve, tmp_path, monkeypatch, episode):
    strategy, asked = whole
    server = serve(SOME)
    interrupt(monkeypatch, episode, lambda: find(server, tmp_path, "y"))
    again = find(server, tmp_path, "y")
    assert same_strategy(strategy, again) and again["run"]["resumed_at"] == episode
    assert curve(tmp_path / "x.curve.csv") == curve(tmp_path / "y.curve.csv")
    assert len(server.requests) == asked
    assert len({json.dumps(request) for request in server.requests}) == len(server.requests) - len(SOME)


def test_a_killed_search_scores_again_what_was_not_saved_but_asks_nothing(serve, tmp_path, monkeypatch):
    """Without the last words of a process that is killed: the checkpoint is older than the conversation."""
    _, kept = run(server := serve(), tmp_path)
    asked = len(server.requests)
    kept.episodes = kept.episodes[:TRIALS_PER_CHECKPOINT]
    kept.save({})
    scored = []
    score = Problem.score
    monkeypatch.setattr(Problem, "score", lambda self, *asked: scored.append(1) or score(self, *asked))
    _, again = run(server, tmp_path)
    assert (len(server.requests), len(scored), len(again.episodes)) == (asked, 60 - TRIALS_PER_CHECKPOINT, 60)


def test_an_endpoint_that_dies_leaves_a_search_that_goes_on(whole, serve, tmp_path):
    strategy, _ = whole
    server = serve({**SOME, 9: "503", 10: "503", 11: "close"})
    with pytest.raises(SparsitySolverError, match=f"{server.url} gave no answer in 3 attempts; the last one: the conn"):
        find(server, tmp_path, "y")
    saved = len(curve(tmp_path / "y.curve.csv"))
    assert saved >= 30
    server.stop()
    with pytest.raises(SparsitySolverError, match="connection refused"):
        find(server, tmp_path, "y")
    again = find(serve(port=server.port), tmp_path, "y")
    assert same_strategy(strategy, again) and again["run"]["resumed_at"] == saved


def test_another_model_is_another_search(whole, serve, tmp_path):
    server = serve()
    driver = talk(server, tmp_path, model="others")
    again = find(None, tmp_path, driver=driver)
    assert again["run"]["resumed_at"] == 0 and again["found"]["notes"]["answered_by"] == ["others-0"]
    assert {exchange.driver["model"] for exchange in read_conversation(tmp_path / "x.chat.jsonl")} == {"others"}


def test_the_key_is_in_no_file(serve, tmp_path):
    server = serve({0: "echo", 1: "echo", 3: "echo"})
    strategy = find(server, tmp_path)
    assert KEY in server.requests[0]["key"] and KEY not in json.dumps(strategy)
    (tmp_path / "requests.jsonl").unlink()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"x.chat.jsonl", "x.curve.csv", "x.checkpoint"} <= {path.name for path in files}
    assert [path.name for path in files if KEY.encode() in path.read_bytes()] == []
