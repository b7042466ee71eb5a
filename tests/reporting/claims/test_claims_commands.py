"""The command printed beside a claim plans, on the grid it names, all that the claim is judged on."""

import functools
import shlex

import pytest

from sparsitysolver.config.registry import ZERO_SHOT, is_zero_shot, method, models_table
from sparsitysolver.config.tables import load_definition
from sparsitysolver.plans import needs
from sparsitysolver.plans.grid import Grid
from sparsitysolver.reporting.claims.definition import load_claims
from sparsitysolver.reporting.claims.places import with_equals
from sparsitysolver.reporting.claims.results import Results, read_results
from sparsitysolver.reporting.claims.table import command_of, compared_methods

CLAIMS = load_claims()
GRIDS = ("tiny", "opt125m", "paper", "local")
LOCAL = ("llama-mini", "opt-mini")
FEW = 3  # a claim about so many models is about each of them


@pytest.fixture(scope="module")
def assets(tmp_path_factory):
    """An assets folder with models, as far as plans look into it."""
    folder = tmp_path_factory.mktemp("assets")
    for name in LOCAL:
        (folder / "models" / name).mkdir(parents=True)
        (folder / "models" / name / "config.json").touch()
    return folder


def results_on(name, tmp_path):
    """Results of a grid before anything is measured."""
    if name == "local":
        return Results("local", LOCAL, dict(zip(LOCAL, ("llama", "opt"), strict=True)))
    return read_results(tmp_path, name)


def parsed(command, assets):
    """The target of a printed command and the grid that it runs on."""
    words = shlex.split(command)
    assert words[:3] == ["snakemake", "--cores", "2"] and words[4] == "--config"
    settings = dict(word.split("=") for word in words[5:])
    if "assets" in settings:
        settings["assets"] = str(assets)
    target = words[3].rpartition("/")[2].partition(".")[0]
    return target.rpartition("_")[2], grid_of(tuple(settings.items()))


@functools.cache
def grid_of(settings):
    """One grid for all commands with the same settings: plans are kept by grid."""
    return Grid(dict(settings))


def searched_alike(name):
    """What a search is told from others by, besides model, sparsity and seed."""
    row = method(name)
    return row.allocator, row.granularity, row.reward, row.search


@functools.cache
def planned(grid, kind, target):
    """What a target plans of a kind of results: searches under what tells them apart, others under their method."""
    found = set()
    for cell in needs.needed(grid, kind, target):
        name = searched_alike(cell.method) if kind == needs.CURVES else cell.method
        found.add((cell.model, name, float(cell.sparsity), is_zero_shot(cell.task)))
    if kind == needs.CURVES:  # a table plans the searches behind its cells
        for cell in needs.needed(grid, needs.CELLS, target):
            if cell.row.reward and not is_zero_shot(cell.task):
                found.add((cell.model, searched_alike(cell.method), float(cell.sparsity), False))
    return found


definition = functools.cache(load_definition)


def of_reconstruction(claim):
    return claim.test.kind == "monotone" or claim.test.measure.endswith("_per_module")


def required(claim, grid):
    """The kind of results, the methods and the sparsities that a claim needs; of a model each with all tasks."""
    given = claim.test.model_dump(exclude_none=True)
    than = given.get("than", ())
    beside = [than] if isinstance(than, str) else than
    names = [name for name in (given.get("method", "dense"), *beside) if name != "dense"]
    sparsities = [given["sparsity"]] if "sparsity" in given else []
    if "table" in given:
        methods = with_equals(compared_methods(claim)) if compared_methods(claim) else names
        table = definition(given["table"])
        return needs.CELLS, methods, given.get("sparsities") or table.sparsities, table.task == ZERO_SHOT
    if claim.test.measure in ("middle", "variety"):
        return needs.STRATEGIES, names, sparsities, False
    if claim.test.kind == "paired":
        return needs.INFERENCE, with_equals(names), sparsities, False
    if of_reconstruction(claim):
        return needs.RECONSTRUCTION, [needs.STUDIED], sparsities, False
    return needs.CURVES, [searched_alike(name) for name in names], sparsities or [0.2], False


@pytest.mark.parametrize("name", GRIDS)
def test_every_command_plans_what_its_claim_needs(name, tmp_path, assets):
    results = results_on(name, tmp_path)
    for claim in CLAIMS:
        command = command_of(claim, results)
        target, grid = parsed(command, assets)
        kind, methods, sparsities, zero_shot = required(claim, grid)
        families = {key: row.family for key, row in models_table().items()} | dict(results.families)
        of_target, collected = planned(grid, kind, target), planned(grid, kind, None)
        models = [model for model in grid.all_models() if claim.concerns(model, families.get(model))]
        measured = [
            model
            for model in models
            if all(
                (model, key, sparsity, zero_shot) in of_target & collected for key in methods for sparsity in sparsities
            )
        ]
        assert measured, f"{claim.key}: {command}"
        assert len(claim.models) > FEW or set(claim.models) & set(grid.all_models()) <= set(measured), claim.key


@pytest.mark.parametrize("name", GRIDS)
def test_searches_are_long_enough_and_rewarded_alike(name, tmp_path, assets):
    results = results_on(name, tmp_path)
    for claim in (
        claim for claim in CLAIMS if claim.test.measure in ("converged_by", "rise", "good_by", "good_sooner")
    ):
        _, grid = parsed(command_of(claim, results), assets)
        names = [name for name in (claim.test.method, claim.test.than) if name]
        settings = [grid.searches[method(key).search_options.get("settings", "structured")] for key in names]
        assert settings[0]["episodes"] >= (claim.test.of or claim.test.by or 0), claim.key
        assert settings[-1]["episodes"] >= settings[0]["episodes"], claim.key
        assert len({one["reward_windows"] for one in settings}) == 1, claim.key


@pytest.mark.parametrize("name", ["tiny", "paper"])
def test_series_of_the_reconstruction_study_are_planned(name, tmp_path, assets):
    for claim in filter(of_reconstruction, CLAIMS):
        target, grid = parsed(command_of(claim, results_on(name, tmp_path)), assets)
        studies = {cell: needs.study_samples(grid, cell) for cell in needs.needed(grid, needs.RECONSTRUCTION, target)}
        if getattr(claim.test, "along", None) == "samples":
            assert any(len(samples) > 2 for samples in studies.values())
        elif getattr(claim.test, "along", None) == "sparsity":
            assert len({cell.sparsity for cell, samples in studies.items() if 32 in samples}) > 2
        else:
            of_models = {cell.model for cell, samples in studies.items() if 32 in samples and cell.sparsity == "0.2"}
            assert of_models >= set(claim.models)


def test_a_command_names_the_grid_that_can(tmp_path):
    by_key = {claim.key: claim for claim in CLAIMS}
    on_tiny, local = results_on("tiny", tmp_path), results_on("local", tmp_path)
    expected = {
        "recon-beats-flap": "results/table2.csv --config grid=tiny",
        "sparser-takes-longer": "results/reconstruction_study1.csv --config grid=tiny",
        "reconstruction-of-70b": "results/reconstruction_study1.csv --config grid=paper",
        "tasks-c4-beats-flap": "results/table3.csv --config grid=paper",
        "rises-after-500": "figures/figure6.png --config grid=tiny comparison_episodes=3000",
        "saturated-at-3000": "results/table2.csv --config grid=tiny episodes=3000",
        "converges-by-2000": "figures/figure6.png --config grid=paper",
        "late-strategies-overlap": "figures/figure13.png --config grid=tiny",
    }
    for key, words in expected.items():
        assert command_of(by_key[key], on_tiny) == f"snakemake --cores 2 {words}"
    of_opt = command_of(by_key["reuse-takes-100-episodes"], results_on("opt125m", tmp_path))
    assert of_opt.endswith("results/table6.csv --config grid=opt125m episodes=300 reward_windows=16")
    assert command_of(by_key["recon-beats-flap"], local).endswith("results/table2.csv --config grid=local assets=DIR")
    assert command_of(by_key["tasks-c4-beats-flap"], local).endswith(
        "results/table3.csv --config grid=local assets=DIR"
    )
    assert command_of(by_key["reuse-wins-on-mistral"], local).endswith("results/table6.csv --config grid=paper")
    assert Grid({"grid": "tiny"}).texts["c4"] == "mini"
