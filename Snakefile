"""SparsitySolver: from models to tables. Every rule is one command that also works by hand."""

import re
import sys

from snakemake.utils import min_version

from sparsitysolver import hub_models, preload, run_lock
from sparsitysolver.config.arena import definition
from sparsitysolver.plans.grid import RESULTS, Grid, own_commands
from sparsitysolver.config.registry import methods_table
from sparsitysolver.errors import SparsitySolverError, report_error
from sparsitysolver.plans import measurements, needs
from sparsitysolver.plans.arena import Arena
from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.plans.documents import documents, pages
from sparsitysolver.plans.job import PRUNE
from sparsitysolver.plans.machine import on_cluster
from sparsitysolver.plans.stages import stages
from sparsitysolver.sources import code_sha256, project_file, source_files

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
    arena = Arena(artefacts)
    hub_models.to_environment()
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
    entrant="|".join(definition().entrants),
    table="|".join(grid.tables()),  # table7 is no table of cells
    cells=r"cells(_(table|figure)\d+|_regression|_self_pruner)?",
    kind="strategies|curves|inference|reconstruction",
    of=r"(_(table|figure|study)\d+)?",
    figure=r"figure\d+|arena",
    page="|".join(pages(grid)),


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
    regression,


rule all:
    input:
        "paper_tables.md",
        expand("figures/{figure}.png", figure=needs.drawable(grid)),
        f"{RESULTS}/report.html",


include: "rules/common.smk"
include: "rules/stages.smk"
include: "rules/documents.smk"
