"""A search's conversation: logged line by line, taken up where it stopped, or replayed without any model."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from sparsitysolver.chat.driver import Driver, Messages, Reply
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import Json, file_sha256, write_text
from sparsitysolver.records.seen import Seen, is_seen, union, unknown
from sparsitysolver.seeds import derive_seed


class Chat(Protocol):
    """Who answers a search, from a model or from a file."""

    def ask(self, messages: Messages) -> Reply:
        """The next reply."""

    def identity(self) -> Json:
        """What of it decides the search's result."""

    def record(self) -> Json:
        """What a strategy keeps of it: ``kind``, ``model``, ``url`` and settings."""

    def begin(self, seen: Seen) -> None:
        """Take note of what the search that will ask has seen: prompts show how candidates did there."""

    @property
    def seen(self) -> Seen:
        """What the replies given so far have seen, as far as they were not made for this very search."""


@dataclass(frozen=True)
class Exchange:
    """A line of the log: who was asked what, and what came back after how many seconds.

    ``seen`` is what the search that asked had seen; None where that was not noted.
    """

    driver: Json
    sampling: Json
    seed: int
    messages: list[dict[str, str]]
    reply: str
    model: str
    usage: dict[str, int] | None
    finish: str | None
    attempts: int
    seconds: float
    seen: Seen | None = None

    def line(self) -> str:
        """As the log has it."""
        return json.dumps(asdict(self)) + "\n"

    def answer(self) -> Reply:
        """The reply in it."""
        return Reply(self.reply, self.model, self.usage, self.finish, self.attempts)

    def has_seen(self) -> Seen:
        """What stood behind it, unknown where it was not noted."""
        return [unknown()] if self.seen is None else self.seen


def read_conversation(path: Path) -> list[Exchange]:
    """The exchanges of a log; a last line that was torn when its writer was killed is left out.

    Raises:
        SparsitySolverError: no such file, or another line that is no exchange.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError as error:
        raise SparsitySolverError(f"no recorded conversation at {path}; a search writes x.chat.jsonl.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SparsitySolverError(f"{path} is not a recorded conversation: {error}.") from error
    while lines and not lines[-1].strip():
        lines.pop()
    exchanges = []
    for number, line in enumerate(lines, start=1):
        try:
            exchanges.append(_checked(json.loads(line)))
        except json.JSONDecodeError as error:
            if number == len(lines):
                break
            raise SparsitySolverError(f"{path}, line {number}: broken JSON ({error}).") from error
        except (TypeError, KeyError) as error:
            raise SparsitySolverError(f"{path}, line {number}: not an exchange that a search wrote.") from error
    return exchanges


def _checked(value: Any) -> Exchange:
    exchange = Exchange(**value)
    texts = (exchange.reply, exchange.model, exchange.driver["kind"], exchange.driver["model"])
    if not (all(isinstance(text, str) for text in texts) and isinstance(exchange.attempts, int)):
        raise TypeError
    if exchange.seen is not None and not is_seen(exchange.seen):
        raise TypeError
    return exchange


class Conversation:
    """Asks a model, and never the same twice: replies that the log knows are taken from there.

    Args:
        log: file of the exchanges; one that another request stands in is cut off before that.
        seed: of the search; every exchange has a seed of its own.
    """

    def __init__(self, driver: Driver, log: Path, seed: int, say: Callable[[str], None] = print) -> None:
        self._driver, self._log, self._seed, self._say = driver, log, seed, say
        self._known: list[Exchange] | None = None
        self._asked = 0
        self._searching: Seen | None = None

    def begin(self, seen: Seen) -> None:
        """Exchanges from now on are of a search that has seen this."""
        self._searching = seen

    @property
    def seen(self) -> Seen:
        """What stands behind the exchanges used so far, those taken from the log included."""
        return union(*(exchange.has_seen() for exchange in (self._known or [])[: self._asked]))

    def ask(self, messages: Messages) -> Reply:
        """The log's reply where it was asked this before; else the model's, which is logged at once."""
        number, seed = self._asked, derive_seed("chat", self._seed, self._asked)
        known = self._load()
        request = (self._driver.identity(), self._driver.settings.sampling(), seed, list(messages))
        if number < len(known):
            old = known[number]
            if request != (old.driver, old.sampling, old.seed, old.messages):
                self._say(f"{self._log}: exchange {number} is another one: the conversation goes on from there")
                del known[number:]
                self._rewrite(known)
        if number == len(known):
            start = time.perf_counter()
            reply = self._driver.complete(messages, seed)
            seconds = round(time.perf_counter() - start, 3)
            answer = (reply.text, reply.model, reply.usage, reply.finish, reply.attempts, seconds)
            known.append(Exchange(*request, *answer, self._searching))
            self._append(known[-1])
        self._asked += 1
        return known[number].answer()

    def identity(self) -> Json:
        """Model and sampling."""
        return self._driver.identity() | {"sampling": self._driver.settings.sampling()}

    def record(self) -> Json:
        """Model and settings."""
        return self._driver.identity() | {"settings": self._driver.settings.record()}

    def _load(self) -> list[Exchange]:
        if self._known is None:
            self._known = read_conversation(self._log) if self._log.is_file() else []
            self._rewrite(self._known)
        return self._known

    def _rewrite(self, exchanges: list[Exchange]) -> None:
        write_text(self._log, "".join(exchange.line() for exchange in exchanges))

    def _append(self, exchange: Exchange) -> None:
        try:
            with self._log.open("a", encoding="utf-8") as handle:  # closing it flushes it
                handle.write(exchange.line())
        except OSError as error:
            raise SparsitySolverError(f"cannot write {self._log}: {error.strerror or error}.") from error


class Replay:
    """Answers from a recorded conversation; a search that asks anything else is another search."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._exchanges = read_conversation(path)
        self._sha256 = file_sha256(path)
        self._asked = 0
        if not self._exchanges:
            raise SparsitySolverError(f"{path} holds no whole exchange.")

    def begin(self, seen: Seen) -> None:
        """Nothing is noted: a recording stays as it is."""

    @property
    def seen(self) -> Seen:
        """What stood behind the recording's exchanges used so far."""
        return union(*(exchange.has_seen() for exchange in self._exchanges[: self._asked]))

    def ask(self, messages: Messages) -> Reply:
        """The next recorded reply.

        Raises:
            SparsitySolverError: the recording answers other messages, or ends here.
        """
        if self._asked == len(self._exchanges):
            raise SparsitySolverError(
                f"{self._path} ends after {self._asked} exchanges and the search asks for more: it was recorded by a "
                "search of fewer --episodes, or by one that stopped, which its own command takes up again."
            )
        exchange = self._exchanges[self._asked]
        if exchange.messages != list(messages):
            raise SparsitySolverError(
                f"exchange {self._asked} of {self._path} answers other messages than this search sends: give the "
                "model, sparsity, bounds, calibration, text, reward windows and kind of machine it was recorded with."
            )
        self._asked += 1
        return exchange.answer()

    def identity(self) -> Json:
        """The file's content."""
        return {"kind": "replay", "sha256": self._sha256}

    def record(self) -> Json:
        """The file's content and whom it was recorded with."""
        recorded = self._exchanges[0]
        return {
            "kind": "replay",
            "sha256": self._sha256,
            "model": recorded.driver["model"],
            "url": recorded.driver.get("url"),
            "recorded": recorded.driver,
            "settings": recorded.sampling,
        }
