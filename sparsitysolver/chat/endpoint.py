"""OpenAI-compatible chat endpoints: vLLM, llama.cpp's server, Ollama, hosted models.

The key is read from the environment, goes into one header and nowhere else: it is taken out of everything that the
endpoint says before that is kept or shown. So are user, password and query of the address.
"""

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util import Retry

from sparsitysolver.chat.driver import Messages, Reply
from sparsitysolver.chat.settings import ChatSettings
from sparsitysolver.config.chat_address import URL_VARIABLE, Address
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import Json

KEY_VARIABLE = "SPARSITYSOLVER_CHAT_KEY"
_HIDDEN = "***"
_DUMMY_KEY = 8  # shorter keys ("x", "EMPTY") and users are words that a good reply may hold
_CONNECT_SECONDS = 30
_GREETING = (3.0, 1.0)  # seconds to connect and to be answered in, at the first contact
_GREETING_SECONDS = 4.0  # of it all: the look-up of a name heeds no time-out, and a name may have many addresses
_TRANSIENT = frozenset({408, 425, 429})
_HINTS = {
    401: f" Set the key in {KEY_VARIABLE}, or the whole address in {URL_VARIABLE}.",
    403: f" Check the key in {KEY_VARIABLE} and what it may use.",
    404: " Check --chat-url (it usually ends in /v1) and --chat-model.",
}
_GOES_ON = "What was found is saved, and the same command goes on from here."


class _Fault(Exception):
    """What another attempt may mend; ``wait`` is what the endpoint asks for, in seconds."""

    def __init__(self, text: str, wait: float | None = None) -> None:
        super().__init__(text)
        self.wait = wait


class _Silence(_Fault):
    """There is a connection, and no answer yet."""


class Endpoint:
    """A model behind ``<url>/chat/completions``."""

    def __init__(
        self, address: Address, model: str, settings: ChatSettings | None = None, say: Callable[[str], None] = print
    ) -> None:
        self._address, self.url = address, address.shown
        self.model = model
        self.settings = settings or ChatSettings()
        self._say = say
        self._key = _key()
        self._secrets = (self._key, *address.secrets) if self._key else address.secrets
        self._met = False

    def identity(self) -> Json:
        """Model and address."""
        return {"kind": "endpoint", "model": self.model, "url": self.url}

    def greet(self) -> None:
        """Make sure that somebody is there; once is enough. Whatever is answered, and be it an error, is an answer.

        Raises:
            SparsitySolverError: no connection within seconds. It is not tried again, for a wrong address stays wrong.
        """
        if self._met:
            return
        try:
            _within(_GREETING_SECONDS, lambda: self._send("GET", self._address.models, _GREETING))
        except _Silence:
            pass
        except (_Fault, TimeoutError) as fault:
            reason = str(fault) or f"no connection within {_GREETING_SECONDS:g} s"
            raise SparsitySolverError(
                f"the chat endpoint {self.url} cannot be reached: {reason}. Start it, or check --chat-url or "
                f"{URL_VARIABLE}. {_GOES_ON}"
            ) from None
        self._met = True

    def complete(self, messages: Messages, seed: int) -> Reply:
        """Ask, and ask again where that may help.

        Raises:
            SparsitySolverError: nobody there, no answer in all attempts, a refusal, or an answer that is none of the
                protocol.
        """
        self.greet()
        body: Json = {"model": self.model, "messages": list(messages)}
        optional = {"temperature": self.settings.temperature, "max_tokens": self.settings.max_tokens}
        body |= {name: value for name, value in optional.items() if value is not None}
        if self.settings.send_seed:
            body["seed"] = seed
        retrying = self._retrying()
        try:
            answer = retrying(self._post, body)
        except _Fault as fault:
            number = retrying.statistics["attempt_number"]
            plural = "s" if number > 1 else ""
            raise SparsitySolverError(
                f"the chat endpoint {self.url} gave no answer in {number} attempt{plural}; the last one: {fault}. "
                f"{_GOES_ON}"
            ) from None
        return self._reply(answer, retrying.statistics["attempt_number"])

    def _retrying(self) -> Retrying:
        settings = self.settings
        growing = wait_exponential(multiplier=settings.backoff, max=settings.longest_wait)

        def wait(state: RetryCallState) -> float:
            asked = state.outcome.exception().wait
            return growing(state) if asked is None else asked

        def tell(state: RetryCallState) -> None:
            self._say(
                f"{self.url}: {state.outcome.exception()}; attempt {state.attempt_number + 1} of {settings.attempts} "
                f"in {state.next_action.sleep:g} s"
            )

        return Retrying(
            retry=retry_if_exception_type(_Fault),
            stop=stop_after_attempt(settings.attempts) | (lambda state: wait(state) > settings.longest_wait),
            wait=wait,
            before_sleep=tell,
            reraise=True,
        )

    def _send(self, verb: str, url: str, seconds: tuple[float, float], body: Json | None = None) -> requests.Response:
        """One request; what goes wrong is told without what libraries say of it, who name the whole address."""
        auth = self._signed if self._key else None  # given as ``auth``, so that no ``.netrc`` takes its place
        try:
            return requests.request(verb, url, json=body, auth=auth, timeout=seconds, allow_redirects=False)
        except requests.exceptions.SSLError:
            raise SparsitySolverError(
                f"the chat endpoint {self.url} has no certificate that is trusted here."
            ) from None
        except requests.ConnectTimeout:
            raise _Fault(f"no connection within {seconds[0]:g} s") from None
        except requests.Timeout:
            raise _Silence(f"no answer within {seconds[1]:g} s") from None
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            raise _Fault(_reason(error)) from None
        except (requests.RequestException, HTTPError, UnicodeError) as error:
            raise SparsitySolverError(f"cannot ask the chat endpoint {self.url}: {type(error).__name__}.") from None

    def _signed(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request

    def _post(self, body: Json) -> Any:
        """One attempt: the answer's JSON."""
        response = self._send("POST", self._address.chat, (_CONNECT_SECONDS, self.settings.timeout), body)
        status = f"status {response.status_code}"
        if response.status_code in _TRANSIENT or response.status_code >= 500:
            wait = _retry_after(response)
            raise _Fault(status if wait is None else f"{status}, to be asked again after {wait:g} s", wait)
        if response.status_code != requests.codes.ok:
            raise SparsitySolverError(
                f"the chat endpoint {self.url} refuses model '{self.model}' with {status}: {self._excerpt(response)}."
                f"{_HINTS.get(response.status_code, '')}"
            )
        try:
            return response.json()
        except ValueError:
            raise self._no_protocol(self._excerpt(response)) from None

    def _reply(self, answer: Any, attempts: int) -> Reply:
        try:
            choice = answer["choices"][0]
            text = choice["message"]["content"]
            finish = choice.get("finish_reason")
        except (TypeError, KeyError, IndexError, AttributeError):
            raise self._no_protocol(self._hidden(str(answer))[:200]) from None
        if not isinstance(text, str | None):
            raise self._no_protocol(f"a message that is a {type(text).__name__}")
        model, usage = answer.get("model"), answer.get("usage")
        return Reply(
            text=self._kept(text or ""),
            model=self._kept(model) if isinstance(model, str) else self.model,
            usage=_usage(usage),
            finish=self._kept(finish) if isinstance(finish, str) else None,
            attempts=attempts,
        )

    def _no_protocol(self, found: str) -> SparsitySolverError:
        return SparsitySolverError(
            f"{self.url} does not speak the chat protocol: an object with choices[0].message.content is needed, found "
            f"{found}. Check --chat-url (it usually ends in /v1)."
        )

    def _excerpt(self, response: requests.Response) -> str:
        """The beginning of what the endpoint says, on one line."""
        return self._hidden(" ".join(response.text.split()))[:200].rstrip(".") or "nothing"

    def _hidden(self, text: str) -> str:
        """What the endpoint says, to be shown: without any secret."""
        return _without(text, self._secrets)

    def _kept(self, text: str) -> str:
        """What the endpoint says, to be worked with: short secrets are words that a good reply may hold."""
        return _without(text, [secret for secret in self._secrets if len(secret) >= _DUMMY_KEY])


def _key() -> str:
    """The key of the environment, or nothing; what no header can hold is refused here, unseen."""
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise SparsitySolverError(f"the key in {KEY_VARIABLE} has characters that no key has: blanks, or not ASCII.")
    return key


def _without(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    return text


def _within(seconds: float, action: Callable[[], Any]) -> Any:
    """What ``action`` returns or raises, or a :class:`TimeoutError`, with ``action`` left behind in its thread."""
    result: Future[Any] = Future()

    def work() -> None:
        try:
            result.set_result(action())
        except BaseException as error:  # raised where the result is asked for
            result.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return result.result(seconds)


def _retry_after(response: requests.Response) -> float | None:
    """Seconds that the endpoint asks to wait; None where it does not, or not so that it can be understood."""
    header = response.headers.get("Retry-After")
    try:
        return None if header is None else Retry().parse_retry_after(header)
    except InvalidHeader:
        return None


def _usage(usage: Any) -> dict[str, int] | None:
    if not isinstance(usage, dict):
        return None
    counts = {name: usage.get(name) for name in ("prompt_tokens", "completion_tokens")}
    return {name: count for name, count in counts.items() if isinstance(count, int)} or None


def _reason(error: BaseException) -> str:
    """What the system says of a connection that failed; libraries' own words name the whole address."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror[0].lower() + seen.strerror[1:]
        inner = [part for part in seen.args if isinstance(part, BaseException)]
        inner += [part for part in (getattr(seen, "reason", None), seen.__cause__, seen.__context__) if part]
        seen = next((part for part in inner if isinstance(part, BaseException) and part is not seen), None)
    return "the connection was closed before the answer was whole"
