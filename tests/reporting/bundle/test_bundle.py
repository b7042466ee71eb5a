"""Bundles: what is packed and what is refused, the same bytes each time, and that damage is noticed."""

import os
import zipfile

import pytest
from run_factory import KEY, SEARCHES, TABLE

from sparsitysolver import CONFIG
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import write_json, write_text
from sparsitysolver.reporting.bundle.archive import MANIFEST, unpack_bundle
from sparsitysolver.reporting.bundle.export import export_command


@pytest.fixture
def bundle(results, tmp_path):
    """Its bundle, to be changed."""
    export_command(tmp_path / "bundle.zip", results)
    return tmp_path / "bundle.zip"


def test_round_trip_and_what_is_left_behind(bundle, results, tmp_path):
    manifest = unpack_bundle(bundle, tmp_path / "out")
    unpacked = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert unpacked == set(manifest["files"])
    assert (manifest["format"], manifest["grid"]) == (1, "opt125m")
    assert manifest["run"] == {"commits": ["abc1234"], "versions": ["numpy 2.3; torch 2.8"], "devices": ["cpu"]}
    originals = {"results": results, "config": CONFIG}
    for name in unpacked:
        top, _, rest = name.partition("/")
        assert (tmp_path / "out" / name).read_bytes() == (originals[top] / rest).read_bytes()
    cells = {f"results/{path.relative_to(results)}" for path in results.glob("cells/**/*.json")}
    collected = {f"results/{name}{end}" for name in ("cells", "cells_table2") for end in (".csv", ".samples.npz")}
    tables = {f"results/{name}" for name in TABLE if name.endswith((".csv", ".json"))}
    strategies = {f"results/{SEARCHES}/{KEY}{ending}" for ending in (".json", ".curve.csv")}
    expected = cells | collected | tables | strategies | {"results/audit.csv"}
    assert {name for name in unpacked if name.startswith("results")} == expected
    assert len(cells) == 10
    assert {"config/tables/table2.yaml", "config/methods.tsv", "config/paper/table2.csv"} <= unpacked


def test_records_named_in_any_collected_table_are_packed_and_all_measurements(results, tmp_path):
    write_text(results / "curves_figure3.csv", "key,episode\nbb,0\nbb,1\n")
    write_text(results / "inference_figure3.csv", "model\nx\n")
    export_command(tmp_path / "b.zip", results)
    names = unpack_bundle(tmp_path / "b.zip", tmp_path / "out")["files"]
    assert {f"results/{SEARCHES}/bb.json", f"results/{SEARCHES}/bb.curve.csv"} <= set(names)
    assert "results/inference/x/other.json" in names


def test_same_files_give_the_same_bytes(bundle, results, tmp_path):
    for path in results.rglob("*"):
        os.utime(path, (1e9, 1e9))
        path.chmod(0o700)
    export_command(tmp_path / "again.zip", results)
    assert (tmp_path / "again.zip").read_bytes() == bundle.read_bytes()


# --- what is not exported -------------------------------------------------------------------------------------------


def edited_number(results):
    path = results / "cells_table2.csv"
    path.write_text(path.read_text().replace("34.45", "20.01"))


def lost_record(results):
    (path,) = results.glob("cells/*/flap/*.json")
    path.unlink()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda results: [path.unlink() for path in results.glob("cells*.csv")], ["holds no collected cells"]),
        (lost_record, ["opt-125m, flap, 0.2, seed 0, wikitext2 test (cell {flap}) is not below"]),
        (
            edited_number,
            ["cells_table2.csv: opt-125m, flap", "'value' is '20.01', and the cell says '34.45'"],
        ),
        (
            lambda results: (results / SEARCHES / f"{KEY}.json").unlink(),
            [f"was made of strategy {KEY}.json, which is gone"],
        ),
        (
            lambda results: write_json(results / "table1.footnotes.json", {"grid": "tiny"}),
            ["several grids (table1: tiny, table2: opt125m)"],
        ),
    ],
)
def test_what_cannot_be_trusted_is_not_exported_and_leaves_nothing_behind(results, tmp_path, change, words):
    (flap,) = (path.stem for path in results.glob("cells/*/flap/*.json"))
    change(results)
    out = tmp_path / "out" / "b.zip"
    with pytest.raises(SparsitySolverError) as error:
        export_command(out, results)
    assert all(word.replace("{flap}", flap) in str(error.value) for word in words)
    assert not out.parent.exists()


# --- damage ---------------------------------------------------------------------------------------------------------


def rewritten(bundle, change):
    """The bundle with its members (name to bytes) changed."""
    with zipfile.ZipFile(bundle) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(bundle, "w") as archive:
        for name, data in change(members):
            archive.writestr(name, data)
    return bundle


def edited(name, old, new):
    return lambda members: [(n, d.replace(old, new) if n == name else d) for n, d in members]


def renamed_everywhere(new):
    """A member under another name that the manifest lists as well."""
    old = "results/table2.csv"
    return lambda members: [(new if n == old else n, d.replace(old.encode(), new.encode())) for n, d in members]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (edited("results/table2.csv", b"34.45", b"20.01"), r"results/table2\.csv is not what the manifest says"),
        (edited("results/table2.csv", b"34.45", b"20.014"), r"results/table2\.csv is not what the manifest says"),
        (lambda members: [m for m in members if m[0] != "results/cells.csv"], r"results/cells\.csv is listed and.* 0 "),
        (lambda members: [*members, ("results/more.csv", b"")], r"more\.csv is not listed in its manifest"),
        (lambda members: [*members, ("results/table2.csv", b"")], r"table2\.csv is listed and stands 2 times"),
        (lambda members: [*members, ("/etc/more", b"")], "member '/etc/more' does not lie under"),
        (lambda members: [m for m in members if m[0] != MANIFEST], "is no bundle of SparsitySolver"),
        (edited(MANIFEST, b'"format": 1', b'"format": 2'), "not a valid bundle: format"),
        (edited(MANIFEST, b'"files"', b'"members"'), "not a valid bundle"),
        (edited(MANIFEST, b"{", b"["), r"manifest\.json is broken"),
        (lambda _: [("word/document.xml", b"<w/>")], "is no bundle of SparsitySolver"),
        *(
            (renamed_everywhere(name), "does not lie under results or config/; refused")
            for name in ("/results/t.csv", "results/../../t.csv", "../t.csv", "results//t.csv", "C:/results/t.csv")
        ),
        (renamed_everywhere("sparsitysolver/cli.py"), "does not lie under results or config/; refused"),
    ],
)
def test_changed_bundle_is_one_error(bundle, tmp_path, change, words):
    rewritten(bundle, change)
    with pytest.raises(SparsitySolverError, match=words):
        unpack_bundle(bundle, tmp_path / "a" / "out")
    assert not list(tmp_path.rglob("t.csv"))


def test_damaged_or_no_bundle(bundle, tmp_path):
    """Cut off, one byte of a member changed, or not there."""
    whole = bundle.read_bytes()
    with zipfile.ZipFile(bundle) as archive:
        info = archive.getinfo("results/cells.csv")
    place = info.header_offset + 30 + len(info.filename) + info.compress_size // 2
    changed = whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]
    cut_off = [whole[: int(kept * len(whole))] for kept in (0.0, 0.001, 0.5, 0.999)]
    words = ["is no zip file, or it was damaged"] * len(cut_off)
    for data, said in zip((*cut_off, changed), (*words, "damaged or changed"), strict=True):
        bundle.write_bytes(data)
        with pytest.raises(SparsitySolverError, match=said):
            unpack_bundle(bundle, tmp_path / "out")
    with pytest.raises(SparsitySolverError, match=r"no bundle at .*none\.zip; make one with 'sparsitysolver export"):
        unpack_bundle(tmp_path / "none.zip", tmp_path / "out")
