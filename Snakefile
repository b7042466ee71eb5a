"""SparsitySolver: from models to tables. Every rule is one subcommand of `sparsitysolver` that also works by hand."""

import re
import sys
from pathlib import Path

from snakemake.utils import min_version

from sparsitysolver.errors import SparsitySolverError, report_error
from sparsitysolver import preload, run_lock
from sparsitysolver.config.arena import definition
from sparsitysolver.plans import arena as arena_plan, checks, collected, measurements, needs, resources
from sparsitysolver.plans import self_pruner as self_pruner_plan, transfer as transfer_plan
from sparsitysolver.plans.artefacts import SHARED, Artefacts, deciding
from sparsitysolver.plans.machine import on_cluster
from sparsitysolver.config.grid import RESULTS, Cell, Grid, own_commands
from sparsitysolver.plans.needs import STUDIED
from sparsitysolver.config.registry import methods_table
from sparsitysolver.sources import make_stamps, project_file, prune_code, search_code, source_files, stage_code, stamp

min_version("9.27.1")


try:
    settings = project_file("config/config.yaml")
except SparsitySolverError as error:
    sys.exit(report_error("snakemake", error))


configfile: settings


report: "docs/report/workflow.rst"


own_commands()
if workflow.is_main_process:
    run_lock.hold()
try:
    grid = Grid(config, lambda: on_cluster(workflow))
    grid.assets.to_environment()
    artefacts = Artefacts(grid)
    arena = arena_plan.Arena(artefacts)
    modules = [f"figures.{name}" for name in needs.figures()]
    modules += [f"sparsitysolver.reporting.collected.{kind}" for kind in needs.KINDS if kind != needs.CELLS]
    make_stamps((grid.task, *grid.tasks), modules)
except SparsitySolverError as error:
    sys.exit(report_error("snakemake", error))


wildcard_constraints:
    model="|".join(map(re.escape, grid.all_models())),
    method="|".join(methods_table()),
    sparsity=r"0|0?\.\d+",
    seed=r"\d+",
    task=r"[a-z0-9_]+",
    target=r"[a-z0-9_]+",
    granularity="structured|unstructured",
    draw=r"[a-z0-9_]+-[a-z_]+-\d+x\d+-\d+",
    key=r"[0-9a-f]{16}",
    table="|".join(grid.tables()),  # table7 has a rule of its own
    cells=r"cells(_(table|figure)\d+)?",
    kind="strategies|curves|inference|reconstruction",
    of=r"(_(table|figure|study)\d+)?",
    figure=r"figure\d+",
    entrant="|".join(definition().entrants),


onstart:
    # Snakemake limits jobs per second, and for that starts a timer in every round of scheduling that asks for another
    # round: one more endless chain with every job that ends. After 200 jobs that took a quarter of a core. Jobs of this
    # machine need no such limit; a cluster's scheduler keeps it.
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None
    preload.start()


localrules:
    all,
    collect,
    gather,
    html_report,


rule all:
    input:
        "paper_tables.md",
        expand("figures/{figure}.png", figure=needs.drawable(grid)),
        f"{RESULTS}/report.html",


include: "rules/common.smk"
include: "rules/preflight.smk"
include: "rules/prune.smk"
include: "rules/report.smk"
include: "rules/measure.smk"
include: "rules/figures.smk"
include: "rules/audit.smk"
include: "rules/claims.smk"
include: "rules/regression.smk"
include: "rules/html_report.smk"
include: "rules/transfer.smk"
include: "rules/arena.smk"
include: "rules/self_pruner.smk"
include: "rules/tiny.smk"
