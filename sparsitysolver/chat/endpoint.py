"""OpenAI-compatible chat endpoints: vLLM, llama.cpp's server, Ollama, hosted models.

The key is read from the environment, goes into one header and nowhere else: it is taken out of everything that the
endpoint says before that is kept or shown. So are user, password and query of the address.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import requests
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util import Retry

from sparsitysolver.chat.settings import ChatSettings, Messages, Reply
from sparsitysolver.config.chat_address import URL_VARIABLE, Address
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import Json

KEY_VARIABLE = "SPARSITYSOLVER_CHAT_KEY"
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

    wait: float | None = None


class _Silence(_Fault):
    """There is a connection, and no answer yet."""


class Endpoint:
    """A model behind ``<url>/chat/completions``."""

    def __init__(
        self, address: Address, model: str, settings: ChatSettings | None = None, say: Callable[[str], None] = print
    ) -> None:
        self._address, self.url, self.model = address, address.shown, model
        self.settings = settings or ChatSettings()
        self._say, self._met = say, False
        self._key = os.environ.get(KEY_VARIABLE, "").strip()
        if not (self._key.isascii() and self._key.isprintable()) or " " in self._key:  # no header can hold it
            raise SparsitySolverError(
                f"the key in {KEY_VARIABLE} has characters that no key has: blanks, or not ASCII."
            )
        self._secrets = (self._key, *address.secrets) if self._key else address.secrets

    def identity(self) -> Json:
        """Model and address."""
        return {"kind": "endpoint", "model": self.model, "url": self.url}

    def greet(self) -> None:
        """Make sure that somebody is there; once is enough. Whatever is answered, and be it an error, is an answer.

        No connection within seconds is an error at once: a wrong address stays wrong.
        """
        if self._met:
            return
        met: Future[requests.Response] = Future()

        def meet() -> None:
            try:
                met.set_result(self._send("GET", self._address.models, _GREETING))
            except BaseException as error:  # raised where the result is asked for
                met.set_exception(error)

        threading.Thread(target=meet, daemon=True).start()  # left behind if it hangs
        try:
            met.result(_GREETING_SECONDS)
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
        """Ask, and ask again where that may help: not after a refusal, nor after an answer that is no chat's."""
        self.greet()
        settings = self.settings
        body: Json = {"model": self.model, "messages": list(messages)}
        optional = {"temperature": settings.temperature, "max_tokens": settings.max_tokens}
        body |= {name: value for name, value in optional.items() if value is not None}
        body |= {"seed": seed} if settings.send_seed else {}
        attempt, growing = 1, settings.backoff
        while True:
            try:
                return self._reply(self._post(body), attempt)
            except _Fault as fault:
                wait = min(growing, settings.longest_wait) if fault.wait is None else fault.wait
                if attempt == settings.attempts or wait > settings.longest_wait:
                    plural = "s" if attempt > 1 else ""
                    raise SparsitySolverError(
                        f"the chat endpoint {self.url} gave no answer in {attempt} attempt{plural}; the last one: "
                        f"{fault}. {_GOES_ON}"
                    ) from None
                self._say(f"{self.url}: {fault}; attempt {attempt + 1} of {settings.attempts} in {wait:g} s")
            time.sleep(wait)
            attempt, growing = attempt + 1, 2 * growing

    def _send(self, verb: str, url: str, seconds: tuple[float, float], body: Json | None = None) -> requests.Response:
        """One request; what goes wrong is told without what libraries say of it, who name the whole address."""

        def signed(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers["Authorization"] = f"Bearer {self._key}"
            return request

        auth = signed if self._key else None  # given as ``auth``, so that no ``.netrc`` takes its place
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

    def _post(self, body: Json) -> Any:
        """One attempt: the answer's JSON."""
        response = self._send("POST", self._address.chat, (_CONNECT_SECONDS, self.settings.timeout), body)
        code, status = response.status_code, f"status {response.status_code}"
        if code in _TRANSIENT or code >= 500:
            fault = _Fault(status)
            with contextlib.suppress(InvalidHeader):  # what cannot be understood asks for nothing
                fault.wait = Retry().get_retry_after(response.raw)
            if fault.wait is not None:
                fault.args = (f"{status}, to be asked again after {fault.wait:g} s",)
            raise fault
        said = self._hidden(" ".join(response.text.split()))[:200].rstrip(".") or "nothing"
        if code != requests.codes.ok:
            raise SparsitySolverError(
                f"the chat endpoint {self.url} refuses model '{self.model}' with {status}: {said}."
                f"{_HINTS.get(code, '')}"
            )
        try:
            return response.json()
        except ValueError:
            raise self._no_protocol(said) from None

    def _reply(self, answer: Any, attempts: int) -> Reply:
        try:
            choice = answer["choices"][0]
            text, finish = choice["message"]["content"], choice.get("finish_reason")
        except (TypeError, KeyError, IndexError, AttributeError):
            raise self._no_protocol(self._hidden(str(answer))[:200]) from None
        if not isinstance(text, str | None):
            raise self._no_protocol(f"a message that is a {type(text).__name__}")
        model, usage = answer.get("model"), answer.get("usage")
        told = usage if isinstance(usage, dict) else {}
        counts = {
            name: told[name] for name in ("prompt_tokens", "completion_tokens") if isinstance(told.get(name), int)
        }
        return Reply(
            text=self._hidden(text or "", _DUMMY_KEY),
            model=self._hidden(model, _DUMMY_KEY) if isinstance(model, str) else self.model,
            usage=counts or None,
            finish=self._hidden(finish, _DUMMY_KEY) if isinstance(finish, str) else None,
            attempts=attempts,
        )

    def _no_protocol(self, found: str) -> SparsitySolverError:
        return SparsitySolverError(
            f"{self.url} does not speak the chat protocol: an object with choices[0].message.content is needed, found "
            f"{found}. Check --chat-url (it usually ends in /v1)."
        )

    def _hidden(self, text: str, least: int = 0) -> str:
        """What the endpoint says, without secrets of ``least`` characters or more."""
        for secret in self._secrets:
            if len(secret) >= least:
                text = text.replace(secret, "***")
        return text


def _reason(error: BaseException) -> str:
    """What the system says of a connection that failed; libraries' own words name the whole address."""
    chain: list[BaseException] = [error]
    for one in chain:  # which grows on the way
        if isinstance(one, OSError) and one.strerror:
            return one.strerror[0].lower() + one.strerror[1:]
        inner = (*one.args, getattr(one, "reason", None), one.__cause__, one.__context__)
        chain += [part for part in inner if isinstance(part, BaseException) and part not in chain]
    return "the connection was closed before the answer was whole"
