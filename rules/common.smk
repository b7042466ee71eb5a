# What the rules ask of the grid, by wildcards. Keys in the paths hold all that decides a result. Parameters that name files
# or addresses take `input` as well, so that Snakemake counts them as derived: another place is no reason to run again.

import json
import shlex


def cell_of(wildcards):
    """The cell that a path belongs to; what all tasks share stands for the grid's own."""
    own = [name for name in (wildcards.get("task"), wildcards.get("target")) if name and name not in SHARED]
    return Cell(wildcards.model, wildcards.method, wildcards.sparsity, wildcards.seed, (own or [grid.task])[0])


def study(wildcards):
    """The cell that stands for a reconstruction study: the uniform strategy's, on the grid's own text."""
    return Cell(wildcards.model, STUDIED, wildcards.sparsity, wildcards.seed, grid.task)


def problem(wildcards):
    """The cell that stands for one problem of the arena."""
    return arena.cell(wildcards.model, wildcards.granularity, wildcards.sparsity, wildcards.seed)


def common(wildcards):
    """Options that every stage on a model takes; models that need no GPU stay on the CPU wherever they run.

    The assets folder is not among them: jobs find it in their environment, so that its path decides nothing.
    """
    count = gpu(wildcards)
    device = f"--device cuda --gpus {count}" if count else "--device cpu"
    return f"--threads {torch_threads(wildcards)} {device} --dtype {grid.dtype}"


def model(wildcards):
    """MODEL as the command line takes it."""
    return artefacts.identities.model_argument(wildcards.model)


def preflight(wildcards):
    """The gate of a model whose dense perplexity is published: nothing is pruned or searched before it is passed."""
    return checks.preflight_inputs(artefacts, wildcards.model)


def minutes(stage):
    """Estimated run time of a stage of fixed work, by model."""
    return lambda wildcards: resources.stage_minutes(artefacts, wildcards.model, stage)


def search_minutes(wildcards):
    """Estimated run time of a search."""
    return resources.search_minutes(artefacts, cell_of(wildcards))


def evaluate_minutes(wildcards):
    """Estimated run time of an evaluation."""
    return resources.evaluate_minutes(artefacts, wildcards.model, wildcards.task)


def memory(wildcards):
    """Host memory in MB, by model."""
    return artefacts.machine.memory_mb(wildcards.model)


def gpu(wildcards):
    """GPUs of a job, by model."""
    return artefacts.machine.gpus(wildcards.model)


def torch_threads(wildcards):
    """Threads of a job, by model."""
    return artefacts.machine.threads(wildcards.model)


def alone(wildcards):
    """All cores of this machine, so that nothing runs beside a job; elsewhere the scheduler has to see to that."""
    return workflow.resource_settings.cores or torch_threads(wildcards)


def settings_of_run(wildcards):
    """This run's configuration as the options of another call of Snakemake, which finds the assets as jobs do.

    The device as resolved: the other call cannot know that a cluster runs the jobs.
    """
    settings = {**config, "device": artefacts.machine.device}
    given = {name: value for name, value in sorted(settings.items()) if value not in ("", None) and name != "assets"}
    return " ".join(shlex.quote(f"{name}={json.dumps(value)}") for name, value in given.items())
