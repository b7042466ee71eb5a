"""Who answers the prompts of a search: an endpoint, a local chat model or a recorded conversation."""

import argparse
from collections.abc import Callable
from pathlib import Path

from sparsitysolver.chat.conversation import Chat, Conversation, Replay
from sparsitysolver.chat.endpoint import Endpoint
from sparsitysolver.chat.settings import ChatSettings
from sparsitysolver.chat.transformers_model import TransformersModel
from sparsitysolver.config.chat_address import URL_VARIABLE, address_of
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.stages.common import assets_of


def driver_of(args: argparse.Namespace, given: str, out: Path, say: Callable[[str], None]) -> Chat:
    """The driver that the options name, of which ``given`` are given; the log goes beside ``out``."""
    if args.replay and given != "--replay":
        raise SparsitySolverError(f"a recorded conversation is replayed as it is: give --replay alone, not {given}.")
    if args.replay:
        return Replay(Path(args.replay))
    if not args.chat_model:
        raise SparsitySolverError(
            f"algorithm '{args.algorithm}' asks a chat model: give --chat-url URL (or set {URL_VARIABLE}) "
            "and --chat-model NAME (an endpoint), --chat-model FOLDER (a local model), or --replay FILE (a recorded "
            f"conversation){f'; {given} alone found' if given else ''}."
        )
    asking, log = ChatSettings.from_options(args.chat_set), out.with_suffix(".chat.jsonl")
    address = address_of(args.chat_url)
    if address is None:
        driver = TransformersModel(args.chat_model, asking, args.device, args.dtype, assets_of(args))
    else:
        driver = Endpoint(address, args.chat_model, asking, say)
        if not (log.is_file() and log.stat().st_size):  # recorded replies may be all that a search still needs
            driver.greet()
    return Conversation(driver, log, args.seed, say)
