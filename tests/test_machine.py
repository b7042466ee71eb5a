"""What jobs ask for: by the model's size and the device at hand, never by the number of cores."""

import json
import struct
from types import SimpleNamespace

import pytest
from planned import make_assets

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.plans import machine
from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.plans.grid import Cell, Grid

GIB = 1024  # MB
BILLION = 10**9


@pytest.fixture
def local(tmp_path, monkeypatch):
    """Plans grid ``local`` whose model ``a`` has so many parameters by its header, on a machine with so many GPUs."""
    assets = make_assets(tmp_path)

    def plan(parameters=0, gpus=0, **config):
        if parameters:
            header = {"w": {"dtype": "F16", "shape": [parameters // 1000, 1000]}, "__metadata__": {"format": "pt"}}
            write_header(assets / "models" / "a" / "model.safetensors", header)
        monkeypatch.setattr(machine, "gpus_here", lambda: gpus)
        return Artefacts(Grid({"grid": "local", "assets": str(assets), "models": "a", **config}))

    return plan


def write_header(path, header):
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)


def configure(tmp_path, **fields):
    (tmp_path / "models" / "a" / "config.json").write_text(json.dumps(fields))


def test_a_gpu_is_asked_for_where_there_is_one(local, tmp_path):
    configure(tmp_path, dtype="bfloat16")
    for gpus, precision in ((0, ["cpu", "float32", 2]), (1, ["cuda", "bfloat16", 2])):
        plan = local(135_000_000, gpus=gpus)
        assert plan.machine.gpus("a") == gpus and plan.identities.precision("a") == precision


def test_a_run_says_what_its_jobs_run_on_and_a_cluster_is_asked_for_gpus(local, tmp_path):
    assert local(gpus=1, device="cpu").machine.gpus("a") == 0
    assert local(gpus=0, device="cuda").machine.gpus("a") == 1
    config = {"grid": "local", "assets": str(tmp_path)}
    for device, elsewhere, count in (("auto", True, 1), ("auto", False, 0), ("cpu", True, 0)):
        grid = Grid({**config, "device": device}, on_cluster=lambda elsewhere=elsewhere: elsewhere)
        assert Artefacts(grid).machine.gpus("a") == count
    assert Artefacts(Grid({"grid": "tiny", "device": "cuda"})).machine.gpus("opt-tiny") == 0  # kept by the registry
    with pytest.raises(SparsitySolverError, match="unknown device 'gpu'; did you mean cpu.*Allowed: auto, cpu, cuda"):
        Grid({"grid": "tiny", "device": "gpu"})


@pytest.mark.parametrize(
    ("told", "elsewhere"),
    [
        ({}, False),
        ({"dryrun": True}, False),
        ({"dryrun": True, "nodes": 20}, True),
        ({"nodes": 20}, False),  # --cores and --jobs of a run on this machine
        ({"local_exec": False, "nodes": 20}, True),
        ({"remote_exec": True}, True),
    ],
)
def test_who_runs_the_jobs_is_told_by_the_executor(told, elsewhere):
    facts = {"dryrun": False, "remote_exec": False, "local_exec": True, "nodes": None, **told}
    assert machine.on_cluster(SimpleNamespace(**facts, resource_settings=SimpleNamespace(**facts))) is elsewhere


@pytest.mark.parametrize(
    ("parameters", "threads"), [(2_500_000, 1), (135_000_000, 2), (BILLION - 1000, 2), (7 * BILLION, 4)]
)
def test_threads_come_from_the_models_size_and_from_a_setting_before_it(local, parameters, threads):
    assert local(parameters).machine.threads("a") == local(parameters, gpus=4).machine.threads("a") == threads
    assert local(parameters, threads=16).machine.threads("a") == 16


def test_a_grid_names_its_threads_and_a_run_goes_before_it():
    assert Artefacts(Grid({"grid": "opt125m"})).machine.threads("opt-125m") == 2
    assert Artefacts(Grid({"grid": "tiny", "threads": 3})).machine.threads("opt-tiny") == 3
    with pytest.raises(SparsitySolverError, match="threads=0: a number of at least 1 is needed"):
        Grid({"grid": "tiny", "threads": 0})


def test_threads_are_in_the_keys(local):
    cell = Cell("a", "flap", "0.2", "0", "wikitext2")
    paths = [local(135_000_000, **given).evaluate(cell).path for given in ({}, {"threads": 2}, {"threads": 4})]
    assert paths[0] == paths[1] != paths[2]


def test_memory_is_that_of_the_models_weights_and_windows(local, tmp_path):
    """7 billion parameters on a CPU: 2 × 26 GiB of float32, 8 GiB of a layer's windows, 1 GiB of scores, libraries."""
    configure(tmp_path, hidden_size=4096, vocab_size=32000, max_position_embeddings=4096)
    assert local(7 * BILLION).machine.memory_mb("a") == pytest.approx((3 + 52.2 + 8 + 1) * GIB, rel=0.01)
    assert local(7 * BILLION, gpus=1).machine.memory_mb("a") == pytest.approx((9 + 15) * GIB, rel=0.01)
    configure(tmp_path, hidden_size=128, vocab_size=2000, max_position_embeddings=256)
    assert local(2_500_000).machine.memory_mb("a") < 3.1 * GIB
    assert [local(count * BILLION, gpus=8).machine.gpus("a") for count in (7, 30, 70, 180)] == [1, 1, 2, 5]


def test_time_is_that_of_the_device_at_hand(local, tmp_path):
    """2 × 135e6 operations a token, 1000 episodes of 8 windows of 1024 tokens: 2.2e15, half as much again as margin."""
    configure(tmp_path, max_position_embeddings=1024)
    search, times = Cell("a", "sparsitysolver", "0.2", "0", "wikitext2"), {}
    for gpus, threads in ((0, 1), (0, 4), (1, 1), (1, 4)):
        plan = local(135_000_000, gpus=gpus, threads=threads)
        times[gpus, threads] = plan.demands(plan.search(search))["runtime"]
    assert times == {(0, 1): 5 + 2764, (0, 4): 5 + 691, (1, 1): 5, (1, 4): 5}


@pytest.mark.parametrize(
    "weights", [b"", b"\xff" * 20, struct.pack("<Q", 4) + b"[1]x", struct.pack("<Q", 9) + b'{"a":"b"}']
)
def test_broken_weights_are_planned_with_by_their_bytes(local, tmp_path, weights):
    """What is wrong with them is told when they are loaded."""
    (tmp_path / "models" / "a" / "model.safetensors").write_bytes(weights)
    plan = local()
    assert plan.machine.size("a").parameters == len(weights) // 2
    assert plan.machine.memory_mb("a") > 3 * GIB


def test_shards_count_together_and_other_files_by_their_precision(local, tmp_path):
    folder = tmp_path / "models" / "a"
    (folder / "model.safetensors").unlink()
    for name, rows in (("one", 3), ("two", 4)):
        write_header(folder / f"{name}.safetensors", {name: {"dtype": "F32", "shape": [rows, 10]}})
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"one": "one.safetensors", "two": "two.safetensors"}}))
    assert local().machine.size("a").parameters == 70
    for path in (index, folder / "one.safetensors", folder / "two.safetensors"):
        path.unlink()
    (folder / "pytorch_model.bin").write_bytes(b"x" * 4000)
    for dtype, count in (("float32", 1000), ("bfloat16", 2000)):
        configure(tmp_path, torch_dtype=dtype)
        assert local().machine.size("a").parameters == count
