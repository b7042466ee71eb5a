"""Jobs that start warm: one process imports the libraries, and every job of a Snakemake run on this machine forks it.

Importing torch, transformers and lm-eval takes longer than most jobs of a small grid work. ``start`` (called by the
Snakefile when a run begins) leaves a server behind that has imported them; ``sparsitysolver`` finds its socket in the
environment, hands over arguments, directory, environment and standard streams, and waits for the exit status. Only
third-party libraries are imported before the fork: the project's own code is read anew by every job. The server
ends with the Snakemake process that started it, and interrupts its jobs then: the next run makes their files anew.
Without a server commands run as ever.
"""

import ctypes
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VARIABLE = "SPARSITYSOLVER_PRELOADER"
LIBRARIES = (
    "torch",
    "transformers.models.auto.modeling_auto",
    "stable_baselines3",
    "lm_eval.evaluator",
    "lm_eval.models.huggingface",
    "scipy.stats",
    "pydantic",
)
# Read when the libraries are imported: what a job would set for itself must be there before.
QUIET = {
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "KINETO_LOG_LEVEL": "99",  # torch's profiler, which counts the memory of inference
}
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_INTERRUPT = b"i"
_PR_SET_PDEATHSIG = 1  # of prctl(2): the signal a process gets when its parent dies
_LENGTH = struct.Struct("!Q")
_POLL_SECONDS = 1.0


def start() -> None:
    """Start the server and name its socket in the environment; does nothing where processes cannot be watched.

    The libraries' own pools get one thread each; how many torch has, every job sets for itself.
    """
    if not hasattr(os, "pidfd_open"):
        return
    address = Path(tempfile.mkdtemp(prefix="sparsitysolver-")) / "socket"
    environment = QUIET | os.environ | dict.fromkeys(_THREADS, "1")
    command = [sys.executable, "-m", "sparsitysolver.preload", str(address)]
    subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment)
    os.environ[VARIABLE] = str(address)


def forward(argv: Sequence[str]) -> int | None:
    """Let the server run ``sparsitysolver argv``; returns the exit status, or None where there is no server."""
    address = os.environ.get(VARIABLE)
    if not address:
        return None
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            with _short(Path(address)) as name:
                connection.connect(name)
        except OSError:  # not there yet, or gone: the command runs by itself
            return None
        socket.send_fds(connection, [b"\0"], [0, 1, 2])
        place = {"cwd": os.getcwd(), "env": dict(os.environ)}  # noqa: PTH109
        request = json.dumps({"program": sys.argv[0], "argv": list(argv), **place}).encode()
        connection.sendall(_LENGTH.pack(len(request)) + request)
        try:
            return _status(connection)
        except KeyboardInterrupt:
            connection.sendall(_INTERRUPT)
            return _status(connection)


@contextmanager
def _short(address: Path) -> Iterator[str]:
    """A name of a socket that the system takes, which is one of about 100 bytes, however deep its folder lies."""
    folder = os.open(address.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{address.name}"
    finally:
        os.close(folder)


def _status(connection: socket.socket) -> int:
    answer = connection.recv(1)
    if not answer:
        print("sparsitysolver: error: the process that runs this job ended without a word.", file=sys.stderr)
        return 1
    return answer[0]


def serve(address: Path) -> None:
    """Fork a job for every request until the process that started the server is gone and no job is left."""
    parent = os.getppid()
    listener = socket.socket(socket.AF_UNIX)
    with _short(address) as name:
        listener.bind(name)
    listener.listen(128)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # meant for Snakemake; jobs are told by their clients
    for library in LIBRARIES:
        importlib.import_module(library)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ, None)
    jobs: dict[int, socket.socket] = {}  # process id -> connection of the client
    interrupted = False
    try:
        while jobs or os.getppid() == parent:
            for key, _ in selector.select(_POLL_SECONDS):
                _handle(key, listener, selector, jobs)
            if os.getppid() != parent and not interrupted:
                interrupted = True
                for job in jobs:
                    os.kill(job, signal.SIGINT)
    finally:
        address.unlink(missing_ok=True)
        address.parent.rmdir()


def _handle(
    key: selectors.SelectorKey, listener: socket.socket, selector: selectors.BaseSelector, jobs: dict[int, Any]
) -> None:
    """A new client, a client that interrupts or is gone, or a job that has ended."""
    if key.fileobj is listener:
        _accept(listener, selector, jobs)
    elif isinstance(key.fileobj, int):
        _, status = os.waitpid(key.data, 0)
        selector.unregister(key.fileobj)
        os.close(key.fileobj)
        _answer(jobs.pop(key.data), os.waitstatus_to_exitcode(status), selector)
    elif key.data in jobs:
        os.kill(key.data, signal.SIGINT)
        if not key.fileobj.recv(1):  # nobody waits for this job any more
            selector.unregister(key.fileobj)


def _accept(listener: socket.socket, selector: selectors.BaseSelector, jobs: dict[int, Any]) -> None:
    connection, _ = listener.accept()
    try:
        process = _fork(connection, listener)
    except ConnectionError:  # the client was killed while it spoke
        connection.close()
        return
    jobs[process] = connection
    selector.register(os.pidfd_open(process), selectors.EVENT_READ, process)
    selector.register(connection, selectors.EVENT_READ, process)


def _answer(connection: socket.socket, code: int, selector: selectors.BaseSelector) -> None:
    """Tell the client the exit status, as a shell has it for a job that a signal ended."""
    if connection in selector.get_map():
        selector.unregister(connection)
        connection.sendall(bytes([code if code >= 0 else 128 - code]))
    connection.close()


def _fork(connection: socket.socket, listener: socket.socket) -> int:
    """The job's process id; in the job itself this does not return."""
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    request = json.loads(_exactly(connection, length))
    process = os.fork()
    if process:
        for stream in streams:
            os.close(stream)
        return process
    status = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        os.setsid()
        listener.close()
        connection.close()
        status = _run(request, streams)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _run(request: Mapping[str, Any], streams: Sequence[int]) -> int:
    """The command itself, in the client's directory, environment and streams."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    del os.environ[VARIABLE]
    sys.argv = [request["program"], *request["argv"]]  # what records name as their command
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        runpy.run_module("sparsitysolver.cli", run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    return 1


def _exactly(connection: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        part = connection.recv(length - len(parts))
        if not part:
            raise ConnectionError("the client is gone")
        parts += part
    return bytes(parts)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
