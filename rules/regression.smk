# The regression check: a few cells against published and last accepted values.


localrules:
    collect_regression,
    regression_check,
    regression,


use rule collect as collect_regression with:
    input:
        cells=[artefacts.cell_path(cell) for cell in checks.regression_cells(grid)],
        code=source_files("sparsitysolver.reporting.collect"),
    output:
        cells=f"{RESULTS}/cells_regression.csv",
        samples=f"{RESULTS}/cells_regression.samples.npz",
    log:
        "logs/cells_regression.log",
    message:
        "collect the cells of the regression check"


# Fails where a cell has left its value. The comparison is in results/regression.csv then too: it is no output of this
# rule, so that Snakemake does not delete it with those of the failed job, and dated back, so that it is not taken for
# the output of a check that was passed.
rule regression_check:
    input:
        cells=f"{RESULTS}/cells_regression.csv",
        accepted=checks.accepted_inputs(grid),
        tolerances=["config/regression/tolerances.csv", "config/paper/tolerances.csv"],
        definition="config/regression/cells.yaml",
        published=expand("config/paper/{table}.csv", table=grid.tables()),
        code=source_files("sparsitysolver.reporting.regression"),
    output:
        f"{RESULTS}/regression/passed.csv",
    log:
        "logs/regression.log",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        options=checks.regression_options(grid),
        comparison=f"{RESULTS}/regression.csv",
    message:
        "compare the regression cells with published and accepted values"
    shell:
        "sparsitysolver report regression --cells {input.cells} {params.options} --out {params.comparison} > {log} 2>&1 "
        "&& cp {params.comparison} {output} || {{ touch -c -t 200001010000 {params.comparison}; exit 1; }}"


rule regression:
    input:
        f"{RESULTS}/regression/passed.csv",
    output:
        f"{RESULTS}/regression.csv",
    log:
        "logs/regression_passed.log",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    shell:
        "cp {input} {output} > {log} 2>&1"
