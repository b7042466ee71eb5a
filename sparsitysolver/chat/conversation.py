"""A search's conversation: logged line by line, taken up where it stopped, or replayed without any model."""

import functools
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from sparsitysolver.chat.settings import Driver, Messages, Reply
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import Json, file_sha256, write_text
from sparsitysolver.records.seen import Seen, is_seen, union, unknown
from sparsitysolver.seeds import derive_seed


@dataclass(frozen=True, config=ConfigDict(strict=True))
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

    def __post_init__(self) -> None:
        named = all(isinstance(self.driver.get(name), str) for name in ("kind", "model"))
        if not named or not (self.seen is None or is_seen(self.seen)):
            raise ValueError("not an exchange")

    def answer(self) -> Reply:
        """The reply in it."""
        return Reply(self.reply, self.model, self.usage, self.finish, self.attempts)


def read_conversation(path: Path) -> list[Exchange]:
    """The exchanges of a log; a last line that was torn when its writer was killed is left out, another is an error."""
    try:
        lines = path.read_text(encoding="utf-8").rstrip().split("\n")
    except FileNotFoundError as error:
        raise SparsitySolverError(f"no recorded conversation at {path}; a search writes x.chat.jsonl.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SparsitySolverError(f"{path} is not a recorded conversation: {error}.") from error
    exchanges = []
    for number, line in enumerate(lines, start=1):
        try:
            exchanges.append(Exchange(**json.loads(line)))
        except json.JSONDecodeError as error:
            if number == len(lines):
                break
            raise SparsitySolverError(f"{path}, line {number}: broken JSON ({error}).") from error
        except (TypeError, ValueError) as error:
            raise SparsitySolverError(f"{path}, line {number}: not an exchange that a search wrote.") from error
    return exchanges


class Chat:
    """Who answers a search: the exchanges of a conversation, and how many of them were used."""

    _exchanges: list[Exchange]
    _asked = 0

    def begin(self, seen: Seen) -> None:
        """Take note of what the search that will ask has seen; a recording stays as it is."""

    @property
    def seen(self) -> Seen:
        """What stands behind the exchanges used so far, those taken from a file included."""
        used = self._exchanges[: self._asked]
        return union(*([unknown()] if one.seen is None else one.seen for one in used))

    def _next(self) -> Reply:
        self._asked += 1
        return self._exchanges[self._asked - 1].answer()


class Conversation(Chat):
    """Asks a model, and never the same twice: replies that the log knows are taken from there.

    ``log`` is the file of the exchanges; one that another request stands in is cut off before that. ``seed`` is the
    search's; every exchange has a seed of its own.
    """

    def __init__(self, driver: Driver, log: Path, seed: int, say: Callable[[str], None] = print) -> None:
        self._driver, self._log, self._seed, self._say = driver, log, seed, say
        self._searching: Seen | None = None

    def begin(self, seen: Seen) -> None:
        """Exchanges from now on are of a search that has seen this: prompts show how candidates did there."""
        self._searching = seen

    @functools.cached_property
    def _exchanges(self) -> list[Exchange]:
        return read_conversation(self._log) if self._log.is_file() else []

    def ask(self, messages: Messages) -> Reply:
        """The log's reply where it was asked this before; else the model's, which is logged at once."""
        number, known = self._asked, self._exchanges
        seed = derive_seed("chat", self._seed, number)
        request = (self._driver.identity(), self._driver.settings.sampling(), seed, list(messages))
        if number < len(known):
            old = known[number]
            if request != (old.driver, old.sampling, old.seed, old.messages):
                self._say(f"{self._log}: exchange {number} is another one: the conversation goes on from there")
                del known[number:]
        if number == len(known):
            start = time.perf_counter()
            reply = self._driver.complete(messages, seed)
            seconds = round(time.perf_counter() - start, 3)
            answer = (reply.text, reply.model, reply.usage, reply.finish, reply.attempts, seconds)
            known.append(Exchange(*request, *answer, self._searching))
            write_text(self._log, "".join(json.dumps(asdict(exchange)) + "\n" for exchange in known))
        return self._next()

    def identity(self) -> Json:
        """Model and sampling: what decides the search's result."""
        return self._driver.identity() | {"sampling": self._driver.settings.sampling()}

    def record(self) -> Json:
        """Model and settings, as a strategy keeps them."""
        return self._driver.identity() | {"settings": asdict(self._driver.settings)}


class Replay(Chat):
    """Answers from a recorded conversation; a search that asks anything else is another search."""

    def __init__(self, path: Path) -> None:
        self._path, self._exchanges, self._sha256 = path, read_conversation(path), file_sha256(path)
        if not self._exchanges:
            raise SparsitySolverError(f"{path} holds no whole exchange.")

    def ask(self, messages: Messages) -> Reply:
        """The next recorded reply; an error where the recording answers other messages, or ends here."""
        if self._asked == len(self._exchanges):
            raise SparsitySolverError(
                f"{self._path} ends after {self._asked} exchanges and the search asks for more: it was recorded by a "
                "search of fewer --episodes, or by one that stopped, which its own command takes up again."
            )
        if self._exchanges[self._asked].messages != list(messages):
            raise SparsitySolverError(
                f"exchange {self._asked} of {self._path} answers other messages than this search sends: give the "
                "model, sparsity, bounds, calibration, text, reward windows and kind of machine it was recorded with."
            )
        return self._next()

    def identity(self) -> Json:
        """The file's content."""
        return {"kind": "replay", "sha256": self._sha256}

    def record(self) -> Json:
        """The file's content and whom it was recorded with."""
        recorded = self._exchanges[0]
        about = {"model": recorded.driver["model"], "url": recorded.driver.get("url"), "recorded": recorded.driver}
        return self.identity() | about | {"settings": recorded.sampling}
