"""Fixtures of tests that break checkpoints."""

import shutil

import pytest
from tiny import tiny_folder


@pytest.fixture
def folder(tmp_path):
    """A copy of the tiny LLaMA that a test may break."""
    return shutil.copytree(tiny_folder("llama"), tmp_path / "tiny")
