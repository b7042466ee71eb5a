"""Fixtures for all tests; factories lie in ``tiny.py``."""

import os
import signal
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from chat_cases import Server
from tiny import FAMILIES, tiny_ids, tiny_text

os.environ.setdefault("SPARSITYSOLVER_THREADS", "1")  # of commands, whose default is the machine's cores

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background commands so, and their children inherit it: no test could interrupt a command.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=FAMILIES)
def family(request) -> str:
    """Every model family in turn."""
    return request.param


@pytest.fixture
def text_file(tmp_path) -> Path:
    """A text of 400 tokens and a BOS."""
    path = tmp_path / "text.txt"
    path.write_text(tiny_text())
    return path


@pytest.fixture
def serve(tmp_path):
    """Starts servers of the chat protocol that misbehave as they are told; they end with the test."""
    with ExitStack() as stack:
        yield lambda faults=None, port=0: stack.enter_context(Server(tmp_path / "requests.jsonl", faults, port))


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of reference assets: trained small models, WikiText-2, calibration ids."""
    default = Path(__file__).resolve().parents[2] / "shared" / "reference"
    folder = Path(os.environ.get("SPARSITYSOLVER_REFERENCE", default))
    if not folder.is_dir():
        pytest.skip(f"no reference assets at {folder}; set SPARSITYSOLVER_REFERENCE")
    return folder


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with calibration ids and a text."""
    np.save(tmp_path / "ids.npy", tiny_ids(8, 16))
    (tmp_path / "text.txt").write_text(tiny_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path
