# Every file that is made of records alone: collected records, tables, figures, pages (sparsitysolver/plans/documents.py).


for document in documents(artefacts, arena, config):

    rule:
        name:
            document.name
        input:
            **document.inputs,
        output:
            in_report(document),
        log:
            document.log,
        conda:
            "../envs/report.yaml"
        resources:
            mem_mb=2000,
            runtime=10,
        params:
            **document.settings,
            code=document.code_hash,
            command=filled(document),
        shell:
            "{params.command} > {log:q} 2>&1"


# The regression check: a few cells against published and last accepted values. Fails where a cell has left its value. The
# comparison is made in a file that is no output, so that Snakemake does not delete it with those of the failed job:
# results/regression.csv is there if the check was passed, and only then.
rule regression:
    input:
        cells=f"{RESULTS}/cells_regression.csv",
        accepted=checks.accepted_inputs(grid),
        judged_by=checks.regression_inputs(grid),
    output:
        f"{RESULTS}/regression.csv",
    log:
        "logs/regression.log",
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        code=lambda wildcards: code_sha256(source_files("sparsitysolver.reporting.regression.check")),
        options=checks.regression_options(grid),
        comparison=f"{RESULTS}/regression/comparison.csv",
    shell:
        "sparsitysolver report regression --cells {input.cells:q} {params.options} --out {params.comparison:q} > {log:q} 2>&1 "
        "&& cp {params.comparison:q} {output:q}"
