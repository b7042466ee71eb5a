"""Addresses of chat endpoints (no torch).

An option or a setting of a run is written into logs, metadata and records, so it may hold no secret. The environment is
written nowhere: an address with user, password or query is given there, and shown without them.
"""

import base64
import os
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

from sparsitysolver.errors import SparsitySolverError

URL_VARIABLE = "SPARSITYSOLVER_CHAT_URL"
_CHAT = "/chat/completions"
_SECRET_MARKS = frozenset("@?#")  # of user and password, query, fragment


@dataclass(frozen=True)
class Address:
    """An endpoint's base URL."""

    shown: str  # without user, password, query and fragment, and without /chat/completions
    chat: str = field(repr=False)  # the whole URL that messages are posted to
    models: str = field(repr=False)  # the whole URL that lists the endpoint's models
    secrets: tuple[str, ...] = field(repr=False)  # what nobody else may see, in every form in which it may come back

    @classmethod
    def parse(cls, url: str, given_by: str) -> "Address":
        """Read a URL; ``given_by`` names the option or variable in the error, which does not show the URL."""
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # no port at all, or a bracket too many
            usable = False
        if not usable:
            raise SparsitySolverError(f"{given_by} is no address: http://HOST:PORT/v1 or https://HOST/v1 is needed.")
        base = parts.path.rstrip("/").removesuffix(_CHAT)
        login, _, host = parts.netloc.rpartition("@")
        shown = urlunsplit(parts._replace(netloc=host, path=base, query="", fragment=""))
        chat, models = (urlunsplit(parts._replace(path=base + path, fragment="")) for path in (_CHAT, "/models"))

        user, _, password = login.partition(":")
        values = (pair.rpartition("=")[2] for pair in parts.query.split("&"))
        written = {user, password, parts.query, parts.fragment, *values}
        if user or password:
            pair = f"{unquote(user)}:{unquote(password)}"  # as a header has them
            written |= {f"{user}:{password}", pair, base64.b64encode(pair.encode("latin1", "replace")).decode()}
        forms = filter(None, written | {unquote(text) for text in written})
        return cls(shown, chat, models, tuple(sorted(forms, key=len, reverse=True)))


def address_of(url: str | None, given_by: str = "--chat-url") -> Address | None:
    """The endpoint that an option names, else the environment; None where neither does.

    Where both name the same endpoint, the environment's address is taken, with its secrets: so a job is told by its
    command line which endpoint to ask, and by the environment how to be let in.

    Raises:
        SparsitySolverError: no address, or an option with a user, password, query or fragment.
    """
    whole = os.environ.get(URL_VARIABLE, "").strip()
    if url and _SECRET_MARKS & set(url):
        raise SparsitySolverError(
            f"{given_by} has a user, password, query or fragment, which command lines and logs would keep: give such "
            f"an address by the environment variable {URL_VARIABLE}."
        )
    named = Address.parse(url, given_by) if url else None
    secret = Address.parse(whole, URL_VARIABLE) if whole else None
    return secret if named is None or (secret is not None and secret.shown == named.shown) else named
