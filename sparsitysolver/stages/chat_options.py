"""Options of a search that asks a chat model. Nothing here imports torch."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Who answers the prompts of algorithm ``self_pruner``."""
    parser.add_argument(
        "--chat-url",
        metavar="URL",
        help="OpenAI-compatible endpoint, such as http://localhost:8000/v1 (default: SPARSITYSOLVER_CHAT_URL, where a "
        "user, password or query may be part of it); its key in SPARSITYSOLVER_CHAT_KEY",
    )
    parser.add_argument(
        "--chat-model", metavar="NAME", help="chat model of the endpoint; without an endpoint a folder or hub id"
    )
    parser.add_argument(
        "--replay", metavar="FILE", help="recorded conversation (x.chat.jsonl) in place of a chat model"
    )
    parser.add_argument(
        "--chat-set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="temperature, max_tokens, send_seed, attempts, backoff, longest_wait or timeout (see docs/searches.md)",
    )
