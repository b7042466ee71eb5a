"""Warm starts: a job in the server is the same command, with its own streams, directory, status and end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sparsitysolver import preload
from sparsitysolver.config.chat_address import URL_VARIABLE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="jobs learn of the server's end by prctl")
ROOT = Path(__file__).resolve().parents[1]
# A server that has imported nothing, in a process that lives until its standard input is closed.
SERVER = """
import subprocess, sys
child = '''
import sys
from pathlib import Path
from sparsitysolver import preload
from sparsitysolver.config.chat_address import URL_VARIABLE
preload.LIBRARIES = ()
preload.serve(Path(sys.argv[1]))
'''
process = subprocess.Popen([sys.executable, "-c", child, sys.argv[1]], stdin=subprocess.DEVNULL)
print(process.pid, flush=True)
sys.stdin.read()
"""


def environment(**changes):
    return os.environ | {"PYTHONPATH": str(ROOT), "TQDM_DISABLE": "1"} | changes


@pytest.fixture
def server(tmp_path, request):
    """(address, process id of the server, the process that started it); a test may name the address's folder."""
    address = tmp_path / getattr(request, "param", "place") / "socket"
    address.parent.mkdir()
    command = [sys.executable, "-c", SERVER, str(address)]
    starter = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(), cwd=ROOT
    )
    pid = int(starter.stdout.readline())
    wait_for(address.exists)
    yield address, pid, starter
    starter.communicate()
    wait_for(lambda: not alive(pid))


def wait_for(condition, seconds=20.0):
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
    """Relative paths, standard output and a file of the client's; the server forked for it."""
    address, pid, _ = server
    client = command(
        tmp_path, address, "sample", "opt-tiny", "--calibration", "mini", "--nsamples", "2", "--out", "x.npy"
    )
    wait_for(lambda: jobs_of(pid) or client.poll() is not None)
    out, err = client.communicate()
    assert client.returncode == 0, err
    assert out.startswith("x.npy: 2 windows")
    assert (tmp_path / "x.npy").is_file()
    wait_for(lambda: not jobs_of(pid))


def test_records_name_the_command_of_the_client(server, tmp_path):
    arguments = ("evaluate", "opt-tiny", "--task", "mini_boolq", "--limit", "2", "--out", "x.json")
    client = command(tmp_path, server[0], *arguments)
    _, err = client.communicate()
    assert client.returncode == 0, err
    assert json.loads((tmp_path / "x.json").read_text())["run"]["command"].endswith(f"cli.py {' '.join(arguments)}")


@pytest.mark.parametrize("server", ["deep" * 30], indirect=True)
def test_a_long_folder_for_temporary_files_is_none_too_long(server, tmp_path):
    """A socket's name has at most 107 bytes; the job is the server's all the same."""
    address, pid, _ = server
    assert len(os.fsencode(address)) > 120
    client = command(tmp_path, address, "sample", "opt-tiny", "--calibration", "mini", "--out", "x.npy")
    wait_for(lambda: jobs_of(pid))
    _, err = client.communicate()
    assert client.returncode == 0, err


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
    assert client.returncode == 2
    assert "did you mean opt-tiny" in err


@pytest.mark.parametrize("gone", [signal.SIGINT, signal.SIGKILL])
def test_job_ends_with_its_client(server, tmp_path, gone):
    """Interrupted like any command (status 130), and not left behind by a client that was killed."""
    address, pid, _ = server
    arguments = ("search", "opt-tiny", "--sparsity", "0.2", "--episodes", "100000", "--out", "x.json")
    client = command(tmp_path, address, *arguments)
    wait_for((tmp_path / "x.checkpoint").exists, 120)
    client.send_signal(gone)
    client.communicate()
    assert client.returncode == (130 if gone == signal.SIGINT else -signal.SIGKILL)
    wait_for(lambda: not jobs_of(pid))
    assert not (tmp_path / "x.json").exists()


@pytest.mark.parametrize("gone", ["starter", "server"])
def test_job_ends_with_the_run_it_belongs_to(server, tmp_path, gone):
    """Killed outright: the next run makes the job's file anew, and must not meet it at that."""
    address, pid, starter = server
    arguments = ("search", "opt-tiny", "--sparsity", "0.2", "--episodes", "100000", "--out", "x.json")
    client = command(tmp_path, address, *arguments)
    wait_for((tmp_path / "x.checkpoint").exists, 120)
    (job,) = map(int, jobs_of(pid))
    if gone == "starter":
        starter.kill()
    else:
        os.kill(pid, signal.SIGKILL)
    client.communicate()
    wait_for(lambda: not alive(job))
    assert not (tmp_path / "x.json").exists()


def test_server_ends_with_the_process_that_started_it(server):
    address, pid, starter = server
    starter.communicate()
    wait_for(lambda: not alive(pid))
    assert not address.exists()


def test_without_a_server_there_is_nothing_to_wait_for(monkeypatch, tmp_path):
    monkeypatch.delenv(preload.VARIABLE, raising=False)
    assert preload.forward(["evaluate"]) is None
    monkeypatch.setenv(preload.VARIABLE, str(tmp_path / "gone"))
    assert preload.forward(["evaluate"]) is None
