"""``strategy``: files of other tools down to the zeros in the weights, and strategies of other models."""

import numpy as np
import pytest
from commands import failure
from tiny import tiny_folder, tiny_ids

from sparsitysolver.cli import main
from sparsitysolver.models.loading import load_model
from sparsitysolver.pruning.strategy import kept_counts, make_strategy, read_strategy
from sparsitysolver.pruning.units import kept_weights, structured_units, unstructured_units
from sparsitysolver.records.files import content_key, file_sha256, identity, read_record, write_json, write_record

pytestmark = pytest.mark.filterwarnings("ignore")
LLAMA, OPT = str(tiny_folder("llama")), str(tiny_folder("opt"))
SEEN = [{"role": "reward", "source": "wikitext2", "part": "test", "sha256": "abc"}]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("ids.npy", tiny_ids(8, 16))
    return tmp_path


def made(*command):
    """The strategy that a command writes."""
    assert main(["strategy", *map(str, command), "--out", "made.json"]) == 0
    return read_record("made.json", "strategy")


def strategy_of(model, kept, sparsity, units=structured_units, granularity="structured", **found):
    """A strategy file of a tiny model."""
    loaded = load_model(model, "cpu")
    record = {"name": loaded.source.name, "family": loaded.adapter.shape.family}
    record |= {"weights_sha256": loaded.weights_sha256}
    own = units(loaded.adapter.shape)
    found = {"algorithm": "ppo"} | found
    strategy = make_strategy(own, kept, sparsity, record, found, 3, granularity=granularity, seen=SEEN)
    write_json("given.json", strategy)
    return own


def test_levels_down_to_the_zeros_of_the_weights(place):
    """32 weights a level at sparsity 0.5 and hidden size 32; see tests/exchange for the rest."""
    attention = [f"self_attn.{name}_proj" for name in "qkvo"]
    linears = [*attention, *(f"mlp.{name}_proj" for name in ("gate", "up", "down"))]
    levels = {f"model.layers.{layer}.{linear}": 0 for layer in range(3) for linear in linears}
    levels |= {"model.layers.0.self_attn.q_proj": 8, "model.layers.2.mlp.down_proj": -8}
    (place / "levels.txt").write_text("\n".join(f"{name}: {level}" for name, level in levels.items()))
    options = ("--granularity", "unstructured", "--sparsity", "0.5")
    strategy = made("import", "levels.txt", LLAMA, *options)
    file = {"file": "levels.txt", "file_sha256": file_sha256(place / "levels.txt"), "file_sparsity": 0.5}
    found = {"algorithm": "import", "format": "evopress", "projected": False, "levels": 8, "step": 32}
    assert strategy["found"] == found | file
    assert strategy["seed"] is None and strategy["achieved_sparsity"] == pytest.approx(0.5)
    assert strategy["seen"] == [{"role": "any", "source": None, "part": None, "sha256": None}]
    command = ("prune", LLAMA, "--method", "sparsitysolver", "--strategy", "made.json", "--sparsity", "0.5")
    assert main([*command, "--calibration", "ids.npy", "--out", "out", "--device", "cpu"]) == 0
    layers = load_model("out", "cpu").model.model.layers
    kept = [int((linear.weight != 0).sum()) for linear in (layers[0].self_attn.q_proj, layers[2].mlp.down_proj)]
    # 32 x 32 less half and 8 x 32; 32 x 44 less half, and 8 x 32 more: 30 of 44 columns
    assert kept == [32 * 8, 32 * 30]
    assert int((layers[1].self_attn.q_proj.weight != 0).sum()) == 32 * 16


@pytest.mark.parametrize("granularity", ["structured", "unstructured"])
def test_what_is_exported_comes_back(granularity):
    units = {"structured": structured_units, "unstructured": unstructured_units}[granularity]
    own = units(load_model(OPT, "cpu").adapter.shape)
    kept = [max(1, unit.size - 1 - 3 * index % unit.size) for index, unit in enumerate(own)]
    achieved = round(1 - kept_weights(own, kept) / sum(unit.weights for unit in own), 4)
    strategy_of(OPT, kept, achieved, units, granularity)
    assert main(["strategy", "export", "given.json", "--out", "given.csv"]) == 0
    strategy = made("import", "given.csv", OPT, "--granularity", granularity, "--sparsity", achieved)
    assert kept_counts(strategy) == kept
    assert (strategy["found"]["format"], strategy["found"]["projected"]) == ("csv", False)


def test_imports_say_what_they_achieve(place, capsys):
    """Four heads and 44 neurons a layer: the file asks for 0.3 exactly, whole heads make less of it."""
    (place / "ratios.txt").write_text("[0.7, 0.7, 0.7]")
    options = ("ratios.txt", LLAMA, "--granularity", "structured", "--sparsity", "0.3", "--means", "kept")
    strategy = made("import", *options)
    assert kept_counts(strategy) == [3, 31] * 3
    assert strategy["achieved_sparsity"] == pytest.approx(1 - (3 * 1024 + 31 * 96) / (4 * 1024 + 44 * 96))
    assert "sparsity 0.2731 of 0.3; whole items miss the target, --project meets it" in capsys.readouterr().out
    assert made("import", *options, "--project")["achieved_sparsity"] == pytest.approx(0.3, abs=0.004)


def test_what_imports_refuse(place, capsys):
    (place / "ratios.txt").write_text("[0.7, 0.7]")
    options = ("--means", "kept", "--out", "x.json")
    command = ("strategy", "import", "ratios.txt", LLAMA, "--granularity", "structured", *options)
    assert "3 numbers (one a layer) or 6 (one a unit)" in failure(capsys, *command, "--sparsity", "0.3")
    assert "above 0 and below 1" in failure(capsys, *command, "--sparsity", "1.5")
    assert "at least 1" in failure(capsys, *command, "--sparsity", "0.3", "--levels", "0")
    other = ("strategy", "import", "ratios.txt", LLAMA, "--granularity", "layer", *options, "--sparsity", "0.3")
    assert "unknown granularity 'layer'" in failure(capsys, *other)
    (place / "ratios.txt").write_text("[0.6, 0.7, 0.7]")
    assert "asks for sparsity 0.3333, and --sparsity is 0.3" in failure(capsys, *command, "--sparsity", "0.3")
    assert not (place / "x.json").exists()


def test_a_strategy_of_another_model():
    strategy_of(OPT, [4, 48, 2, 24, 2, 36], 0.3, episodes=900)
    given = read_record("given.json", "strategy")
    strategy = made("transfer", "given.json", LLAMA)
    origin = {"strategy_key": content_key(identity(given)), "strategy_model": given["model"]}
    told = {"strategy_algorithm": "ppo", "strategy_sparsity": 0.3}
    assert strategy["found"] == {"algorithm": "transfer"} | origin | told
    assert strategy["seen"] == SEEN  # leakage is judged by it
    loaded = load_model(LLAMA, "cpu")
    units = structured_units(loaded.adapter.shape)
    assert read_strategy("made.json", units, loaded.weights_sha256, 0.3) == strategy
    assert 0 <= strategy["achieved_sparsity"] - 0.3 < 96 / sum(unit.weights for unit in units)
    ratios = [count / unit.size for count, unit in zip(kept_counts(strategy), units, strict=True)]
    assert ratios[1] > ratios[5] > ratios[3] and ratios[0] > ratios[2]
    assert made("transfer", "given.json", LLAMA, "--sparsity", "0.5")["target_sparsity"] == 0.5


def test_to_itself_nothing_changes():
    strategy_of(OPT, [4, 40, 2, 24, 3, 30], 0.333)
    on_budget = made("transfer", "given.json", OPT, "--sparsity", "0.333")
    write_json("given.json", on_budget)
    assert made("transfer", "given.json", OPT)["units"] == on_budget["units"]


def test_matrices_between_families():
    shape = load_model(OPT, "cpu").adapter.shape
    kept = [unit.size // 4 if unit.kind == "ffn_input" else unit.size // 2 for unit in unstructured_units(shape)]
    strategy_of(OPT, kept, 0.6, unstructured_units, "unstructured")
    units = {unit["name"]: unit for unit in made("transfer", "given.json", LLAMA)["units"]}
    assert len(units) == 21
    for layer in range(3):
        gate, up, down = (units[f"layers.{layer}.{role}"]["ratio"] for role in ("gate", "up", "ffn_output"))
        assert gate == pytest.approx(up, abs=1.1 / 32) and down - gate == pytest.approx(0.25, abs=0.05)


def test_what_transfers_refuse(capsys):
    command = ("strategy", "transfer", "given.json", LLAMA, "--out", "x.json")
    assert "no strategy file at given.json" in failure(capsys, *command)
    strategy_of(OPT, [4, 40, 2, 24, 3, 30], 0.333)
    assert main(["prune", LLAMA, "--method", "uniform", "--out", "out", "--calibration", "ids.npy"]) == 0
    assert "is pruned already" in failure(capsys, "strategy", "transfer", "given.json", "out", "--out", "x.json")
    assert "above 0 and below 1" in failure(capsys, *command, "--sparsity", "0")
    given = read_record("given.json", "strategy")
    for unit in given["units"]:
        unit["kind"] = "block"
    write_json("given.json", given)
    assert "no units of kind mha" in failure(capsys, *command)


def test_a_strategy_of_any_sparsity_from_measured_effects(tmp_path, capsys):
    """Two units of known effect: the one that costs nothing goes first."""
    unit = {"layer": 0, "size": 10, "weights_per_item": 5, "kept": 8, "counts": [0, 8, 10]}
    changes = {"mha": [4.0, 0.0, -0.5], "ffn": [0.4, 0.0, 0.0]}
    table = {
        "format": 1,
        "model": {"name": "m", "family": "opt", "weights_sha256": "0" * 64},
        "granularity": "structured",
        "sparsity": 0.2,
        "criterion": "l2",
        "measured_on": {"text": "mini", "reward_split": "validation"},
        "seen": SEEN,
        "units": [{"name": f"layers.0.{kind}", "kind": kind, "changes": of, **unit} for kind, of in changes.items()],
    }
    write_record(tmp_path / "x.effects.json", table, "effects")
    out = tmp_path / "y.json"
    assert main(["strategy", "solve", str(tmp_path / "x.effects.json"), "--sparsity", "0.4", "--out", str(out)]) == 0
    strategy = read_record(out, "strategy")
    assert [unit["kept"] for unit in strategy["units"]] == [10, 2]
    assert strategy["found"]["predicted_change"] == pytest.approx(-0.5 + 0.3)
    assert strategy["found"]["evaluations"] == 0
    assert strategy["found"]["reward_split"] == "validation" and strategy["seen"] == SEEN
    assert main(["strategy", "solve", str(out), "--sparsity", "0.4", "--out", str(out)]) == 2
    assert "effects" in capsys.readouterr().err
