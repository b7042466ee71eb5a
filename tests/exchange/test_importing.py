"""Files of other tools, with counts worked out by hand, and everything that can be wrong with a file."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from tiny import tiny_model

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.exchange.importing import Densities, read_densities, settle, step
from sparsitysolver.exchange.reading import Entry, Names
from sparsitysolver.models.adapter import adapt
from sparsitysolver.models.skeleton import module_names
from sparsitysolver.pruning.units import STRUCTURED, UNSTRUCTURED, Unit, achieved_sparsity, units_of

LLAMA, OPT = (adapt(tiny_model(family)) for family in ("llama", "opt"))  # 3 layers, 4 heads, hidden 32, FFN 44 and 48
ROLES = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")
GATED = (*ROLES, "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")


def names(adapter=LLAMA, granularity=UNSTRUCTURED):
    return Names(units_of(adapter.shape, granularity), module_names(adapter))


@pytest.fixture
def take(tmp_path):
    """Reads a text as a file: ratios that stay, and counts."""

    def read(text, sparsity=0.5, adapter=LLAMA, granularity=UNSTRUCTURED, name="x.txt", project=False, **options):
        path = tmp_path / name
        path.write_text(text)
        known = names(adapter, granularity)
        found = read_densities(path, known, granularity, sparsity, adapter.shape.hidden, **options)
        return found, *settle(known.units, found, sparsity, granularity, project, path)

    return read


def levels(changes):
    """A level file of the tiny LLaMA: zero everywhere but for some matrices."""
    lines = {f"model.layers.{layer}.{role}": 0 for layer in range(3) for role in GATED}
    return "\n".join(f"{name}: {level}" for name, level in (lines | changes).items())


# --- EvoPress -------------------------------------------------------------------------------------------------------


def test_levels_worked_out_by_hand(take):
    """delta = int(0.5 * 0.5 / 8 * 32^2) = 32 weights: 1/32 of a 32x32 matrix, 1/44 of one with the FFN's 44."""
    assert step(0.5, 32) == 32
    assert step(0.7, 4096) == step(0.3, 4096) == 314572  # of LLaMA-2-7B: 1.875% of a 4096 x 4096 matrix
    text = levels(
        {
            "model.layers.0.self_attn.q_proj": 3,  # removes 3/32 more: 19 of 32 columns go
            "model.layers.1.self_attn.o_proj": -5,  # removes 5/32 less
            "model.layers.1.mlp.gate_proj": 4,  # 32 columns of 44 rows: 1/2 + 4/44 = 59.09% go: 18.91 of 32, so 19
            "model.layers.2.mlp.down_proj": -2,  # 44 columns: 1/2 - 2/44 go: 20 of 44
        }
    )
    found, kept, projected = take(text)
    assert (found.format, projected) == ("evopress", False)
    assert found.sparsity(names().units) == 0.5  # levels add up to zero, whatever the sizes
    by_name = {unit.name: count for unit, count in zip(names().units, kept, strict=True)}
    changed = {"layers.0.query": 13, "layers.1.attention_output": 21, "layers.1.gate": 13, "layers.2.ffn_output": 24}
    assert {name: by_name[name] for name in changed} == changed
    assert {count for name, count in by_name.items() if name not in changed} == {16, 22}  # half of 32 and of 44


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model.layers.0.self_attn.k_proj": 9}, r"line 2: level 9 found; layers\.0\.key has whole levels -8 to 8"),
        ({"model.layers.0.self_attn.k_proj": 0.5}, r"line 2: level 0\.5 found"),
        ({"model.layers.0.self_attn.k_proj": "nan"}, r"line 2: 'nan' found; a finite number is needed"),
        (
            {"model.layers.3.self_attn.q_proj": 1},
            r"line 22: the model has no unit 'model\.layers\.3.*3 layers \(0 to 2",
        ),
        ({"model.layers.0.mlp.gate_up_proj": 1}, "line 22: .*did you mean model.layers.0.mlp.gate_proj or"),
        ({"layers.0.q": 1}, r"line 22: layers\.0\.query has a value already, from line 1"),
    ],
)
def test_levels_that_are_not_the_models(take, changes, words):
    with pytest.raises(SparsitySolverError, match=words):
        take(levels(changes), form="evopress")


def test_what_are_no_levels_of_all_matrices(take):
    with pytest.raises(SparsitySolverError, match=r"20 of the model's 21 units have a value; layers\.2\.ffn_output"):
        take(levels({}).rpartition("\n")[0])
    with pytest.raises(SparsitySolverError, match="give --granularity unstructured"):
        take(levels({}), granularity=STRUCTURED)
    with pytest.raises(SparsitySolverError, match="not every line reads like"):
        take("[0.5, 0.5, 0.5]", form="evopress")


# --- lists ----------------------------------------------------------------------------------------------------------

OWL_LOG = """loading calibdation data
layer outlier ratio 0.61 0.5
before adjustment [0.61 0.02
 0.3]
[0.58 0.42 0.50] 0.5 0.58 0.42
after adjustment [0.58 0.42
 0.50]
target sparsity 0.5
"""


@pytest.mark.parametrize(
    "text",
    [
        "[0.58, 0.42, 0.5]",
        "0.58\n0.42\n0.5\n",
        "0.58, 0.42, 0.5",
        "array([0.58, 0.42, 0.5], dtype=float32)",
        "tensor([0.5800, 0.4200, 0.5000])",
        "[np.float64(0.58), np.float64(0.42), np.float64(0.5)]",
        "all_layer_ratio:[0.58 0.42\n 0.50]",
        OWL_LOG,
        "layers.0: 0.58\nlayers.1: 0.42\nlayers.2: 0.5",
        json.dumps([[0.58] * 7, [0.42] * 7, [0.5] * 7]),
        "layer,ratio\n0,0.58\n1,0.42\n2,0.5\n",
        "Layer;Ratio\n\n2;0.5\n0;0.58\n1;0.42\n",
    ],
)
def test_layer_ratios_in_every_dress(take, text):
    found, kept, projected = take(text, means="kept")
    assert found.values == [Fraction(value) for value in ("0.58", "0.42", "0.5") for _ in range(7)]
    # As Wanda: of 32 columns floor(32 * 0.42) = 13 go, floor(32 * 0.58) = 18, 16; of 44 18, 25, 22.
    assert not projected
    assert kept == [19] * 6 + [26] + [14] * 6 + [19] + [16] * 6 + [22]
    assert found.facts == {"means": "kept"}


def test_what_is_removed(take):
    kept = take("[0.42, 0.58, 0.5]", means="removed")[1]
    assert kept == take("[0.58, 0.42, 0.5]", means="kept")[1]
    assert kept == take("layer,sparsity\n0,0.42\n1,0.58\n2,0.5")[1]
    assert kept == take("layer,density\n0,0.58\n1,0.42\n2,0.5")[1]


def test_one_ratio_a_unit_in_forward_order(take):
    text = "[0.75, 0.5, 0.5, 0.75, 0.5, 0.5]"
    found, kept, _ = take(text, 0.43, OPT, STRUCTURED, means="kept", project=True)
    assert [float(value) for value in found.values] == [0.75, 0.5, 0.5, 0.75, 0.5, 0.5]
    assert sum(a * u.weights_per_item for a, u in zip(kept, names(OPT, STRUCTURED).units, strict=True)) <= 0.57 * 21504


@pytest.mark.parametrize(
    ("text", "wanted"), [("[0.3333333333, 0.6666666667]", [1, 2]), ("[0.6666666666, 0.3333333334]", [2, 1])]
)
def test_printed_digits_cost_no_item(tmp_path, text, wanted):
    """1/3 and 2/3 of rows of 3, printed to ten digits, are 1 and 2 weights."""
    known = Names([Unit("layers.0.a", "a", 0, 3, 8), Unit("layers.0.b", "b", 0, 3, 8)], {})
    path = tmp_path / "thirds.txt"
    path.write_text(text)
    densities = read_densities(path, known, UNSTRUCTURED, 0.5, 8, means="kept")
    assert settle(known.units, densities, 0.5, UNSTRUCTURED, False, path) == (wanted, False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("[0.5, 0.5]", r"3 numbers \(one a layer\) or 21 \(one a unit\).*found: 2 on line 1"),
        ("nothing here", "line 1: no list of numbers found"),
        ("[0.5 0.5 0.5]\n[0.4 0.5 0.6]", "2 lists of .*, on lines 1, 2; keep one"),
        ("[0.5,\n nan,\n 0.5]", "line 2: 'nan' found"),
        ("[0.5,\n inf,\n 0.5]", "line 2: 'inf' found"),
        ("[0.5,\n x,\n 0.5]", "line 2: 'x' found; a finite number"),
        ("[0.5,\n 1.2,\n 0.5]", r"line 2: ratio 1\.2 of layers\.1 found; from 0 to 1"),
        ("[0.5,\n 0.5,\n -0.1]", r"line 3: ratio -0\.1 of layers\.2"),
        ("layer,ratio\n0,0.5\n1,0.5\n2,nan\n", "line 4, column ratio: 'nan' found"),
        ("layer,ratio\n0,0.5\n1,0.5\n2\n", "line 4: 1 fields found; the header has 2"),
        ("layer,ratio\n0,0.5\n1,0.5\n1,0.5\n", r"line 4: layers\.1\.query has a value already, from line 3"),
        ("layer,ratio\n0,0.5\n1,0.5\n2,0.5\n3,0.5\n", "line 5: the model has no unit '3'"),
        ("layer,ratio\n0,0.5\n1,0.5\n", r"14 of the model's 21 units have a value; layers\.2\.query has none"),
        ("layer,ratio\n0,0.5\n1,0.5\n2,5\n", "line 4: ratio 5 of 2 found"),
        ("name,ratio\nlayers.0.mha,0.5\n", r"line 2: the model has no unit 'layers\.0\.mha'"),
        ("name,density,sparsity\nlayers.0.query,0.5,0.5\n", "line 1: .*exactly one of ratio, density, sparsity"),
    ],
)
def test_lists_and_tables_that_are_not_the_models(take, text, words):
    with pytest.raises(SparsitySolverError, match=words) as error:
        take(text, means="kept", form="csv" if "," in text and "[" not in text else "ratios")
    assert "x.txt" in str(error.value)


def test_files_and_meanings(take, tmp_path):
    with pytest.raises(SparsitySolverError, match="give --means kept or removed"):
        take("[0.5, 0.5, 0.5]")
    with pytest.raises(SparsitySolverError, match="of what is removed, and --means kept was given"):
        take("layer,sparsity\n0,0.5\n1,0.5\n2,0.5", means="kept")
    with pytest.raises(SparsitySolverError, match="unknown format 'evopres'; did you mean evopress"):
        take("[0.5]", form="evopres")
    with pytest.raises(SparsitySolverError, match=r"no file at .*gone\.txt"):
        read_densities(tmp_path / "gone.txt", names(), UNSTRUCTURED, 0.5, 32)
    (tmp_path / "weights.bin").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(SparsitySolverError, match=r"cannot read .*weights\.bin as text"):
        read_densities(tmp_path / "weights.bin", names(), UNSTRUCTURED, 0.5, 32)


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("adapter", "granularity", "spellings", "wanted"),
    [
        (
            LLAMA,
            UNSTRUCTURED,
            "model.layers.2.self_attn.o_proj layers.2.self_attn.o_proj layers.2.o_proj layers.2.o",
            ["layers.2.attention_output"],
        ),
        (OPT, UNSTRUCTURED, "model.decoder.layers.1.fc1 layers.1.fc1 layers.1.ffn_input", ["layers.1.ffn_input"]),
        (LLAMA, STRUCTURED, "model.layers.0.self_attn layers.0.self_attn layers.0.mha", ["layers.0.mha"]),
        (LLAMA, STRUCTURED, "model.layers.0.mlp layers.0.mlp layers.0.ffn", ["layers.0.ffn"]),
        (LLAMA, STRUCTURED, "model.layers.0 layers.0 0", ["layers.0.mha", "layers.0.ffn"]),
        (OPT, STRUCTURED, "model.decoder.layers.1 layers.1 1", ["layers.1.mha", "layers.1.ffn"]),
    ],
)
def test_names_of_units(adapter, granularity, spellings, wanted):
    known = names(adapter, granularity)
    for name in spellings.split():
        assert [known.units[place].name for place in known.places(Entry(1, name, Fraction(0)), "x")] == wanted


# --- budgets --------------------------------------------------------------------------------------------------------


def test_another_budget_is_refused_and_projected_on_demand(take):
    text = "[0.7, 0.5, 0.6]"
    with pytest.raises(SparsitySolverError, match=r"asks for sparsity 0\.4000, and --sparsity is 0\.5.*--project"):
        take(text, means="kept")
    _, kept, projected = take(text, means="kept", project=True)
    units = names().units
    assert projected and 0 <= achieved_sparsity(units, kept) - 0.5 < 44 / sum(unit.weights for unit in units)
    densities = [count / unit.size for count, unit in zip(kept, units, strict=True)]
    assert densities[0] == pytest.approx(0.6, abs=0.04) and densities[7] == pytest.approx(0.4, abs=0.04)


def test_a_small_miss_that_rounding_does_not_explain_is_projected():
    units = [Unit(f"layers.{i}.a", "a", i, 4000, 50) for i in range(4)]
    path = Path("ratios.txt")
    exact = Densities([Fraction("0.5")] * 4, "ratios", {})
    near = Densities([Fraction("0.503")] * 4, "ratios", {})
    far = Densities([Fraction("0.506")] * 4, "ratios", {})
    assert settle(units, exact, 0.5, UNSTRUCTURED, False, path) == ([2000] * 4, False)
    assert settle(units, near, 0.5, UNSTRUCTURED, False, path) == ([2000] * 4, True)
    with pytest.raises(SparsitySolverError, match="0.4940"):
        settle(units, far, 0.5, UNSTRUCTURED, False, path)
