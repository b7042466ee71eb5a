"""``push`` against a stand-in of the hub: what arrives is the folder, once; what may not be sent says why."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hub_server import TOKEN, Hub
from tiny import SCRATCH, tiny_folder, tiny_ids

from sparsitysolver.cli import main
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.hub.pushing import check_folder

NAME = "me/tiny-pruned"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folders of every format, and one of the dense model; read them."""
    place = tmp_path_factory.mktemp("formats")
    np.save(place / "ids.npy", tiny_ids(8, 16))
    for form in ("hub", "sliced", "padded"):
        command = ("prune", str(tiny_folder("llama")), "--method", "uniform", "--calibration", str(place / "ids.npy"))
        assert main([*command, "--out", str(place / form), "--format", form]) == 0
    dense = ("--method", "dense", "--format", "hub", "--out", str(place / "dense"))
    assert main(["prune", str(tiny_folder("llama")), *dense]) == 0
    return place


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def push(hub, folder, *options, token=TOKEN, name=NAME, **environment):
    """Run the command in a process of its own, with nothing of the user's; returns status, output, error."""
    own = {"HF_ENDPOINT": hub if isinstance(hub, str) else hub.url, "HF_HUB_OFFLINE": "0", "HF_TOKEN": token}
    own |= {"HF_HOME": str(SCRATCH / "push"), "HF_HUB_DISABLE_TELEMETRY": "1", **environment}
    done = subprocess.run(
        [sys.executable, "-m", "sparsitysolver.cli", "push", str(folder), name, *options],
        env=os.environ | own, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert token not in done.stdout + done.stderr or not token
    return done.returncode, done.stdout, done.stderr


def failed(*args, **options):
    status, out, error = push(*args, **options)
    assert status == 2 and out == "" and error.startswith("sparsitysolver: error: ") and error.count("\n") == 1, error
    return error


@pytest.mark.parametrize("large", [False, True])
def test_what_arrives_is_the_folder_once(large, made):
    """As the client does it with its own transfer of large files, and by git's."""
    plain = {"HF_HUB_DISABLE_XET": "1"} if large else {}
    with Hub(large) as hub:
        status, out, error = push(hub, made / "hub", **plain)
        assert (status, error) == (0, "") and out.startswith(f"{hub.url}/{NAME}: sent, commit 111111111111")
        assert hub.files(NAME) == contents(made / "hub")
        assert bool(hub.stored) == large and not hub.repos[NAME]["private"]
        assert hub.commits == [("main", "Uniform at sparsity 0.2 of llama-0")]
        asked = len(hub.stored)
        status, out, _ = push(hub, made / "hub", **plain)
        assert status == 0 and ": is there already, nothing was sent, commit " in out
        assert len(hub.commits) == 1 and len(hub.stored) == asked


def test_another_model_there_is_replaced_and_the_rest_stays(made):
    with Hub() as hub:
        old = {"model-00001-of-00002.safetensors": b"1", "model.safetensors.index.json": b"{}", "notes.txt": b"mine"}
        hub.add(NAME, **old)
        assert push(hub, made / "hub")[0] == 0
        assert hub.files(NAME) == contents(made / "hub") | {"notes.txt": b"mine"}


def test_a_private_model_on_a_branch(made):
    with Hub() as hub:
        status, out, _ = push(hub, made / "hub", "--private", "--revision", "half")
        assert status == 0 and f"{NAME} (half): sent" in out
        assert hub.repos[NAME]["private"] and hub.files(NAME) == {}
        assert hub.files(NAME, "half") == contents(made / "hub")
        hub.add("me/open")
        assert "me/open exists and is public, and --private was asked for" in failed(
            hub, made / "hub", "--private", name="me/open"
        )
        assert hub.files("me/open") == {} and push(hub, made / "hub", "--private", "--revision", "half")[0] == 0


def test_the_hub_refuses(made):
    with Hub() as hub:
        assert "does not know the token (401)" in failed(hub, made / "hub", token="hf_bad")
        assert "log in with 'hf auth login'" in failed(hub, made / "hub", token="")
        assert "may not write to others/x (403)" in failed(hub, made / "hub", name="others/x")
        hub.fault = 400
        error = failed(hub, made / "hub")
        assert f"the hub does not take {NAME}: " in error and "told to fail" in error and TOKEN not in error
        assert hub.files(NAME) == {}


def test_without_network(made):
    with Hub() as hub:
        url = hub.url
    assert "Connection refused; is there network?" in failed(url, made / "hub")
    assert "HF_HUB_OFFLINE" in failed(url, made / "hub", HF_HUB_OFFLINE="1")


@pytest.mark.parametrize("name", ["tiny", "a/b/c", "me/ti ny", "me/--x"])
def test_names_that_are_none(name, made):
    assert "is no name on the hub" in failed("http://127.0.0.1:1", made / "hub", name=name)


def test_folders_that_are_not_pushed(made, tmp_path):
    def refused(folder):
        with pytest.raises(SparsitySolverError) as error:
            check_folder(folder)
        return str(error.value)

    assert check_folder(made / "hub")["method"] == "uniform"
    assert "no folder at" in refused(tmp_path / "nowhere")
    assert "only a pruned model is pushed; write it with: sparsitysolver prune … --format hub" in refused(tiny_folder())
    assert "holds the dense model again" in refused(made / "dense")
    for form in ("sliced", "padded"):
        assert "or is padded to the dense model's size: write it with" in refused(made / form)
    for name in ("README.md", "model.safetensors"):
        folder = shutil.copytree(made / "hub", tmp_path / name)
        (folder / name).unlink()
        assert "has lost a part of what --format hub wrote" in refused(folder)
    folder = shutil.copytree(made / "hub", tmp_path / "skipped")
    (folder / "pruning.json").write_text(json.dumps({"status": "skipped", "method": "flap"}))
    assert "a skipped pruning" in refused(folder)
