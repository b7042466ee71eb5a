"""GPU locks between processes, with devices that exist only by name."""

import os
import subprocess
import sys
import time

import pytest

from sparsitysolver import devices
from sparsitysolver.errors import SparsitySolverError

JOB = """
import os, sys, time
from sparsitysolver.devices import claim
taken = claim(int(sys.argv[1]), ["0", "1"], timeout=30)
assert os.environ["CUDA_VISIBLE_DEVICES"] == ",".join(taken)
start = time.time()
time.sleep(0.3)
print(",".join(taken), start, time.time())
"""


@pytest.fixture(autouse=True)
def locks(tmp_path, monkeypatch):
    """A lock folder of one's own, no devices given, and nothing held afterwards."""
    monkeypatch.setenv("SPARSITYSOLVER_LOCKS", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    yield
    for handle in devices._held:
        handle.close()
    devices._held.clear()


def start(count):
    environment = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    return subprocess.Popen([sys.executable, "-c", JOB, str(count)], stdout=subprocess.PIPE, text=True, env=environment)


def test_two_jobs_never_share_a_device():
    jobs = [start(1) for _ in range(4)]
    spans = []
    for job in jobs:
        device, begin, end = job.communicate(timeout=60)[0].split()
        assert job.returncode == 0
        spans.append((device, float(begin), float(end)))
    assert {device for device, _, _ in spans} == {"0", "1"}
    for index, (device, begin, end) in enumerate(spans):
        for other, other_begin, other_end in spans[index + 1 :]:
            assert device != other or end <= other_begin or other_end <= begin


def test_a_job_of_two_devices_waits_for_both():
    assert devices.claim(1, ["0", "1"]) == ["0"]
    job = start(2)
    time.sleep(0.8)
    assert job.poll() is None
    devices._held.pop().close()
    assert job.communicate(timeout=30)[0].startswith("0,1 ")


def test_a_killed_job_frees_its_device():
    held = subprocess.Popen(
        [sys.executable, "-c", JOB.replace("time.sleep(0.3)", "print('held', flush=True); time.sleep(60)"), "2"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert held.stdout.readline() == "held\n"
    assert devices._try(1, ["0", "1"]) == []
    held.kill()
    held.wait()
    assert devices.claim(2, ["0", "1"], timeout=5) == ["0", "1"]


def test_a_schedulers_choice_is_left_alone(monkeypatch, tmp_path):
    for given in ("3", ""):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
        assert devices.claim(1, ["0", "1"]) == []
        assert os.environ["CUDA_VISIBLE_DEVICES"] == given
    assert not list(tmp_path.iterdir())


def test_no_devices_none_asked_for_too_many_and_an_end_of_waiting():
    assert devices.claim(1, []) == devices.claim(0, ["0"]) == []
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    with pytest.raises(SparsitySolverError, match="3 GPUs asked for; this machine has 2"):
        devices.claim(3, ["0", "1"])
    devices.claim(1, ["0"])
    os.environ.pop("CUDA_VISIBLE_DEVICES")
    with pytest.raises(SparsitySolverError, match="no 1 of the GPUs 0 came free in 0.2 s"):
        devices.claim(1, ["0"], timeout=0.2)


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        (None, 8),
        ("max 100000", 8),
        ("200000 100000", 2),
        ("250000 100000", 2),
        ("50000 100000", 1),
        ("6400000 100000", 8),
    ],
)
def test_cores_are_those_of_the_process_and_of_its_container(monkeypatch, tmp_path, quota, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    monkeypatch.setattr(devices, "_QUOTA", tmp_path / "cpu.max")
    if quota:
        (tmp_path / "cpu.max").write_text(f"{quota}\n")
    assert devices.cores_here() == cores


@pytest.mark.parametrize(
    ("given", "count"),
    [(None, 2), ("", 0), ("-1", 0), ("1", 1), ("0, 1", 2), ("0,7,1", 1), ("7", 0), ("MIG-4f,GPU-1a", 2)],
)
def test_gpus_are_counted_as_cuda_does(monkeypatch, given, count):
    """None without a driver, or with a torch for the CPU."""
    versions = iter(["2.13.0", "2.13.0", "2.13.0+cpu"])
    monkeypatch.setattr(devices.metadata, "version", lambda name: next(versions))
    if given is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    for found, expected in ((["0", "1"], count), ([], 0), (["0", "1"], 0)):
        monkeypatch.setattr(devices, "visible_devices", lambda found=found: found)
        assert devices.gpus_here.__wrapped__() == expected


def test_no_driver_no_devices(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert devices.visible_devices() == []
