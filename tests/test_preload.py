"""Warm starts: a job in the server is the same command, with its own streams, directory, status and end."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from sparsitysolver import preload
from sparsitysolver.config.chat_address import URL_VARIABLE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="jobs learn of the server's end by prctl")
ROOT = Path(__file__).resolve().parents[1]
# A server that has imported what the jobs here need, in a process that lives until its standard input is closed.
SERVER = """
import subprocess, sys
child = '''
import sys
from pathlib import Path
from sparsitysolver import preload
preload.LIBRARIES = preload.LIBRARIES[:3]
preload.serve(Path(sys.argv[1]))
'''
process = subprocess.Popen([sys.executable, "-c", child, sys.argv[1]], stdin=subprocess.DEVNULL)
print(process.pid, flush=True)
sys.stdin.read()
"""
SEARCH = ("search", "opt-tiny", "--sparsity", "0.2", "--episodes", "100000", "--out", "x.json")


def environment(**changes):
    return os.environ | {"PYTHONPATH": str(ROOT), "TQDM_DISABLE": "1"} | changes


@contextmanager
def running_server(folder):
    """(address, process id of the server, the process that started it)."""
    folder.mkdir()
    address = folder / "socket"
    command = [sys.executable, "-c", SERVER, str(address)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    starter = subprocess.Popen(command, **pipes, text=True, env=environment(), cwd=ROOT)
    pid = int(starter.stdout.readline())
    wait_for(address.exists)
    yield address, pid, starter
    starter.communicate()
    wait_for(lambda: not alive(pid))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One for all tests that let it live, in a folder whose name is longer than a socket's may be: 107 bytes."""
    with running_server(tmp_path_factory.mktemp("place") / ("deep" * 30)) as (address, pid, _):
        yield address, pid


def wait_for(condition, seconds=300.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def jobs_of(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def command(folder, address, *arguments, **changes):
    return subprocess.Popen(
        [sys.executable, "-m", "sparsitysolver.cli", *arguments],
        cwd=folder,
        env=environment(**{preload.VARIABLE: str(address)}, **changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_job_is_run_by_the_server_in_the_clients_place(server, tmp_path):
    """Relative paths, standard output and a file of the client's, and its command in the record."""
    address, pid = server
    arguments = ("evaluate", "opt-tiny", "--task", "mini_boolq", "--limit", "2", "--json", "--out", "x.json")
    client = command(tmp_path, address, *arguments)
    wait_for(lambda: jobs_of(pid))
    out, err = client.communicate()
    assert client.returncode == 0, err
    assert json.loads(out.splitlines()[-1])["acc"] >= 0
    assert json.loads((tmp_path / "x.json").read_text())["run"]["command"].endswith(f"cli.py {' '.join(arguments)}")
    wait_for(lambda: not jobs_of(pid))


def test_job_has_the_environment_of_its_client(server, tmp_path):
    """Also what was set after the server was started: an endpoint with its secrets, of which nothing is shown."""
    options = ("--algorithm", "self_pruner", "--chat-model", "m", "--sparsity", "0.2", "--out", "x.json")
    url = {URL_VARIABLE: "http://someone:pass-word@127.0.0.1:9/v1?key=query-secret"}
    client = command(tmp_path, server[0], "search", "opt-tiny", *options, **url)
    _, err = client.communicate()
    assert client.returncode == 2
    assert "the chat endpoint http://127.0.0.1:9/v1 cannot be reached: connection refused" in err
    assert "pass-word" not in err and "query-secret" not in err


def test_mistakes_have_the_same_status_and_sentence(server, tmp_path):
    client = command(tmp_path, server[0], "evaluate", "opt-tniy")
    _, err = client.communicate()
    assert client.returncode == 2 and "did you mean opt-tiny" in err


@pytest.mark.parametrize("gone", [signal.SIGINT, signal.SIGKILL])
def test_job_ends_with_its_client(server, tmp_path, gone):
    """Interrupted like any command (status 130), and not left behind by a client that was killed."""
    address, pid = server
    client = command(tmp_path, address, *SEARCH)
    wait_for((tmp_path / "x.checkpoint").exists)
    client.send_signal(gone)
    client.communicate()
    assert client.returncode == (130 if gone == signal.SIGINT else -signal.SIGKILL)
    wait_for(lambda: not jobs_of(pid))
    assert not (tmp_path / "x.json").exists()


def test_a_job_that_was_killed_is_told(server, tmp_path):
    client = command(tmp_path, server[0], *SEARCH)
    wait_for((tmp_path / "x.checkpoint").exists)
    (job,) = map(int, jobs_of(server[1]))
    os.kill(job, signal.SIGKILL)
    _, err = client.communicate()
    assert client.returncode == 1 and "the process that runs this job ended without a word" in err


@pytest.mark.parametrize("gone", ["starter", "server"])
def test_job_ends_with_the_run_it_belongs_to(tmp_path, gone):
    """Killed outright: the next run makes the job's file anew, and must not meet it at that."""
    with running_server(tmp_path / "place") as (address, pid, starter):
        client = command(tmp_path, address, *SEARCH)
        wait_for((tmp_path / "x.checkpoint").exists)
        (job,) = map(int, jobs_of(pid))
        os.kill(starter.pid if gone == "starter" else pid, signal.SIGKILL)
        client.communicate()
        wait_for(lambda: not alive(job))
        assert not (tmp_path / "x.json").exists()
    assert gone == "server" or not address.exists()


def test_without_a_server_there_is_nothing_to_wait_for(monkeypatch, tmp_path):
    monkeypatch.delenv(preload.VARIABLE, raising=False)
    assert preload.forward(["evaluate"]) is None
    monkeypatch.setenv(preload.VARIABLE, str(tmp_path / "gone"))
    assert preload.forward(["evaluate"]) is None


def test_jobs_find_the_libraries_imported():
    """A job imports the project and its model's own file; whatever else it imported, every job would import again."""
    code = """
import contextlib, importlib, io, sys
from sparsitysolver import preload
for name in preload.LIBRARIES: importlib.import_module(name)
before = set(sys.modules)
from sparsitysolver.cli import main
with contextlib.redirect_stdout(io.StringIO()):
    assert main(["evaluate", "llama-tiny", "--task", "mini", "--windows", "1", "--threads", "1"]) == 0
print(*sorted(set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    new = [
        name for name in done.stdout.split() if name.partition(".")[0] in ("torch", "sympy", "transformers", "numpy")
    ]
    assert any(name.startswith("transformers.models.llama") for name in new)
    assert len(new) < 30
