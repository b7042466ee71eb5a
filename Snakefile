"""SparsitySolver: from models to tables. Every rule is one subcommand of `sparsitysolver` that also works by hand."""

import os
import sys
from pathlib import Path

from snakemake.utils import min_version

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.grid import RESULTS, Cell, Grid
from sparsitysolver.registry import methods_table
from sparsitysolver.sources import source_files

min_version("9.27.1")


configfile: "config/config.yaml"


# Jobs find the command of the environment that runs Snakemake, activated or not.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
try:
    grid = Grid(config)
except SparsitySolverError as error:
    sys.exit(f"snakemake: error: {error}")


wildcard_constraints:
    model="|".join(grid.models),
    method="|".join(methods_table()),
    sparsity=r"0|0?\.\d+",
    seed=r"\d+",
    task=r"[a-z0-9_]+",
    draw=r"[a-z_]+-\d+x\d+-\d+",
    key=r"[0-9a-f]{16}",
    table=r"table\d+",


localrules:
    all,
    collect,


rule all:
    input:
        f"{RESULTS}/table2.csv",
        "paper_tables.md",


include: "rules/prune.smk"
include: "rules/report.smk"
include: "rules/tiny.smk"
