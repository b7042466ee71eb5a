"""OpenAI-compatible chat endpoints: vLLM, llama.cpp's server, Ollama, hosted models.

The key is read from the environment, goes into one header and nowhere else: it is taken out of everything that the
endpoint says before that is kept or shown. So are user, password and query of the address.
"""

import os
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.auth import AuthBase
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from sparsitysolver.chat.driver import Messages, Reply
from sparsitysolver.chat.settings import ChatSettings
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records import Json

KEY_VARIABLE = "SPARSITYSOLVER_CHAT_KEY"
_PATH = "/chat/completions"
_HIDDEN = "***"
_DUMMY_KEY = 8  # keys shorter than this ("x", "EMPTY") are words that a good reply may hold
_CONNECT_SECONDS = 30
_TRANSIENT = frozenset({408, 425, 429})
_HINTS = {
    401: f" Set the key in {KEY_VARIABLE}.",
    403: f" Check the key in {KEY_VARIABLE} and what it may use.",
    404: " Check --chat-url (it usually ends in /v1) and --chat-model.",
}


class _Fault(Exception):
    """What another attempt may mend; ``wait`` is what the endpoint asks for, in seconds."""

    def __init__(self, text: str, wait: float | None = None) -> None:
        super().__init__(text)
        self.wait = wait


class _Bearer(AuthBase):
    """The key as a header. Given as ``auth``, so that no ``.netrc`` takes its place."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class Endpoint:
    """A model behind ``<url>/chat/completions``."""

    def __init__(
        self, url: str, model: str, settings: ChatSettings | None = None, say: Callable[[str], None] = print
    ) -> None:
        self._address, self.url = _addresses(url)
        self.model = model
        self.settings = settings or ChatSettings()
        self._say = say
        self._key = _key()

    def identity(self) -> Json:
        """Model and address."""
        return {"kind": "endpoint", "model": self.model, "url": self.url}

    def complete(self, messages: Messages, seed: int) -> Reply:
        """Ask, and ask again where that may help.

        Raises:
            SparsitySolverError: no answer in all attempts, a refusal, or an answer that is none of the protocol.
        """
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
                "What was found is saved, and the same command goes on from here."
            ) from None
        return self._reply(answer, retrying.statistics["attempt_number"])

    def _retrying(self) -> Retrying:
        settings = self.settings
        growing = wait_exponential(multiplier=settings.backoff, max=settings.longest_wait)

        def asked(state: RetryCallState) -> float | None:
            return state.outcome.exception().wait

        def wait(state: RetryCallState) -> float:
            return growing(state) if asked(state) is None else asked(state)

        def too_long(state: RetryCallState) -> bool:
            return (asked(state) or 0) > settings.longest_wait

        def tell(state: RetryCallState) -> None:
            self._say(
                f"{self.url}: {state.outcome.exception()}; attempt {state.attempt_number + 1} of {settings.attempts} "
                f"in {state.next_action.sleep:g} s"
            )

        return Retrying(
            retry=retry_if_exception_type(_Fault),
            stop=stop_after_attempt(settings.attempts) | too_long,
            wait=wait,
            before_sleep=tell,
            reraise=True,
        )

    def _post(self, body: Json) -> Any:
        """One attempt: the answer's JSON."""
        auth = _Bearer(self._key) if self._key else None
        try:
            response = requests.post(
                self._address,
                json=body,
                auth=auth,
                timeout=(_CONNECT_SECONDS, self.settings.timeout),
                allow_redirects=False,
            )
        except requests.exceptions.SSLError:
            raise SparsitySolverError(
                f"the chat endpoint {self.url} has no certificate that is trusted here."
            ) from None
        except requests.ConnectTimeout:
            raise _Fault(f"no connection within {_CONNECT_SECONDS} s") from None
        except requests.Timeout:
            raise _Fault(f"no answer within {self.settings.timeout:g} s") from None
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            raise _Fault(_reason(error)) from None
        except requests.RequestException as error:
            raise SparsitySolverError(f"cannot ask the chat endpoint {self.url}: {type(error).__name__}.") from None
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
        return text.replace(self._key, _HIDDEN) if self._key else text

    def _kept(self, text: str) -> str:
        return self._hidden(text) if len(self._key) >= _DUMMY_KEY else text


def _key() -> str:
    """The key of the environment, or nothing; what no header can hold is refused here, unseen."""
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise SparsitySolverError(f"the key in {KEY_VARIABLE} has characters that no key has: blanks, or not ASCII.")
    return key


def _addresses(url: str) -> tuple[str, str]:
    """Where to post to, and the base URL as it may be shown: without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # no port at all, or a bracket too many
        usable = False
    if not usable:
        raise SparsitySolverError("--chat-url is no address: http://HOST:PORT/v1 or https://HOST/v1 is needed.")
    base = parts.path.rstrip("/").removesuffix(_PATH)
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], path=base, query="", fragment="")
    return urlunsplit(parts._replace(path=base + _PATH, fragment="")), urlunsplit(shown)


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
