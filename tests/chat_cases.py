"""Chat models for tests: a process that speaks the protocol by rules, and one of this process that counts."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from sparsitysolver.chat.settings import ChatSettings, Reply

RULES = Path(__file__).with_name("rule_server.py")
FAST = ChatSettings(attempts=3, backoff=0.01, longest_wait=3, timeout=20)
IMPATIENT = replace(FAST, timeout=0.3)


class Server:
    """A process of ``rule_server.py``; its faults are ``{request number or "all": fault}``."""

    def __init__(self, log, faults=None, port=0):
        self._log = log
        log.write_text("")
        command = [sys.executable, "-S", str(RULES), json.dumps(faults or {}), str(log), str(port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = int(self._process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """End it; the port is free then, and refuses connections."""
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    @property
    def requests(self):
        """What was asked so far."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]


class Parrot:
    """A driver that says back how often it was asked; after ``most`` times it fails."""

    def __init__(self, most=99, model="parrot"):
        self.settings, self.model = ChatSettings(), model
        self.asked, self._most = [], most

    def identity(self):
        return {"kind": "parrot", "model": self.model, "url": None}

    def complete(self, messages, seed):
        if len(self.asked) == self._most:
            raise RuntimeError("enough")
        self.asked.append((list(messages), seed))
        return Reply(f"{messages[0]['content']}: é \u2028 {len(self.asked)}", "polly", {"prompt_tokens": 3})
