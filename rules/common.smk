# What the rules ask of the grid, by wildcards.


def cell_of(wildcards):
    """The cell that a path belongs to."""
    return Cell(wildcards.model, wildcards.method, wildcards.sparsity, wildcards.seed, grid.task)


def common(wildcards):
    """Options that every stage on a model takes; models that need no GPU stay on the CPU wherever they run."""
    assets = f"--assets {grid.assets.folder} " if grid.assets.folder else ""
    gpus = grid.gpus(wildcards.model)
    device = f"--gpus {gpus}" if gpus else "--device cpu"
    return f"{assets}--threads {grid.threads} {device} --dtype {grid.dtype}"


def model(wildcards):
    """MODEL as the command line takes it."""
    return grid.model_argument(wildcards.model)


def minutes(stage):
    """Estimated run time of a stage, by model."""
    return lambda wildcards: grid.minutes(wildcards.model, stage)


def memory(wildcards):
    """Host memory in MB, by model."""
    return grid.memory_mb(wildcards.model)


def gpus(wildcards):
    """GPUs of a job, by model."""
    return grid.gpus(wildcards.model)
