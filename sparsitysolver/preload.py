"""Jobs that start warm: one process imports the libraries, and every job of a Snakemake run on this machine forks it.

Importing torch, transformers and lm-eval takes longer than most jobs of a small grid work. ``start`` (called by the
Snakefile when a run begins) leaves a server behind that has imported them; ``sparsitysolver`` finds its socket in the
environment, hands over arguments, directory, environment and standard streams, and waits for the exit status. Only
third-party libraries are imported before the fork: the project's own code is read anew by every job. The server
ends with the Snakemake process that started it, and its jobs are interrupted then: the next run makes their files anew.
Without a server commands run as ever.
"""

import contextlib
import ctypes
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

VARIABLE = "SPARSITYSOLVER_PRELOADER"
LIBRARIES = (
    "torch",
    "transformers.modeling_utils",
    "transformers.generation.utils",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.tokenization_utils_tokenizers",
    "stable_baselines3",
    "lm_eval.evaluator",
    "lm_eval.models.huggingface",
    "scipy.stats",
    "pydantic.main",
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
_POLL_SECONDS = 1.0


def start() -> None:
    """Start the server and name its socket in the environment; does nothing where jobs cannot learn of its end.

    The libraries' own pools get one thread each; how many torch has, every job sets for itself.
    """
    if sys.platform != "linux":
        return
    address = Path(tempfile.mkdtemp(prefix="sparsitysolver-")) / "socket"
    environment = QUIET | os.environ | dict.fromkeys(_THREADS, "1")
    command = [sys.executable, "-m", "sparsitysolver.preload", str(address)]
    subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment)
    os.environ[VARIABLE] = str(address)


def forward(argv: Sequence[str]) -> int | None:
    """Let the server run ``sparsitysolver argv``; returns the exit status, or None where there is no server."""
    if not os.environ.get(VARIABLE):
        return None
    address = Path(os.environ[VARIABLE])
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            with contextlib.chdir(address.parent):  # a socket's name has about 100 bytes, its folder may have more
                connection.connect(address.name)
        except OSError:  # not there yet, or gone: the command runs by itself
            return None
        request = {"argv": [sys.argv[0], *argv], "cwd": os.getcwd(), "env": dict(os.environ)}  # noqa: PTH109
        socket.send_fds(connection, [b"\0"], [0, 1, 2])
        connection.sendall(json.dumps(request).encode() + b"\n")
        status = b""
        while True:  # until the job is gone, after it told how it ended
            try:
                part = connection.recv(1)
            except KeyboardInterrupt:
                with contextlib.suppress(OSError):
                    connection.sendall(_INTERRUPT)
                continue
            if not part:
                break
            status = part
    if not status:
        print("sparsitysolver: error: the process that runs this job ended without a word.", file=sys.stderr)
    return status[0] if status else 1


def serve(address: Path) -> None:
    """Fork a job for every client until the process that started the server is gone."""
    parent = os.getppid()
    listener = socket.socket(socket.AF_UNIX)
    with contextlib.chdir(address.parent):
        listener.bind(address.name)
    listener.listen(128)
    listener.settimeout(_POLL_SECONDS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # meant for Snakemake; jobs are told by their clients
    for library in LIBRARIES:
        importlib.import_module(library)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # jobs tell their clients themselves how they ended
    try:
        while os.getppid() == parent:
            with contextlib.suppress(TimeoutError):
                connection, _ = listener.accept()
                if not os.fork():
                    listener.close()
                    _job(connection)
                connection.close()
    finally:
        address.unlink(missing_ok=True)
        address.parent.rmdir()


def _job(connection: socket.socket) -> None:
    """Run a client's command in its directory, environment and streams, and tell it the exit status; never returns."""
    status = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        os.setsid()
        _, streams, _, _ = socket.recv_fds(connection, 1, 3)
        client = connection.makefile("rb")
        line = client.readline()
        if not line.endswith(b"\n"):  # the client was killed while it spoke
            os._exit(status)
        request = json.loads(line)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["env"])
        del os.environ[VARIABLE]
        sys.argv = request["argv"]  # what records name as their command
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        threading.Thread(target=_watch, args=(client,), daemon=True).start()
        runpy.run_module("sparsitysolver.cli", run_name="__main__")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
            connection.sendall(bytes([status]))
        os._exit(status)


def _watch(client: IO[bytes]) -> None:
    """Interrupt this process's work when its client is interrupted, or is gone: nobody waits for the job any more."""
    while True:
        said = client.read(1)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        if not said:
            return


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
