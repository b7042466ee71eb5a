# The regression check: a few cells against published and last accepted values.


localrules:
    collect_regression,
    regression,


use rule collect as collect_regression with:
    input:
        cells=lambda w: [artefacts.cell_path(cell) for cell in checks.regression_cells(grid)],
        code=stamp(source_files("sparsitysolver.reporting.collected.collect")),
    output:
        cells=f"{RESULTS}/cells_regression.csv",
        samples=f"{RESULTS}/cells_regression.samples.npz",
    log:
        "logs/cells_regression.log",
    message:
        "collect the cells of the regression check"


# Fails where a cell has left its value. The comparison is made in a file that is no output, so that Snakemake does not
# delete it with those of the failed job: results/regression.csv is there if the check was passed, and only then.
rule regression:
    input:
        cells=f"{RESULTS}/cells_regression.csv",
        accepted=checks.accepted_inputs(grid),
        tolerances=expand(project_file("config/{of}/tolerances.csv"), of=["regression", "paper"]),
        definition=project_file("config/regression/cells.yaml"),
        published=expand(project_file("config/paper/{table}.csv"), table=grid.tables()),
        code=stamp(source_files("sparsitysolver.reporting.regression.files")),
    output:
        f"{RESULTS}/regression.csv",
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
        comparison=f"{RESULTS}/regression/comparison.csv",
    message:
        "compare the regression cells with published and accepted values; in any case see {params.comparison}"
    shell:
        "sparsitysolver report regression --cells {input.cells:q} {params.options} --out {params.comparison:q} > {log:q} 2>&1 "
        "&& cp {params.comparison:q} {output:q}"
