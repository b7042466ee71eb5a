# Verdicts on the testable sentences of the paper: nothing here imports torch.


rule claims:
    input:
        cells=f"{RESULTS}/cells.csv",
        samples=f"{RESULTS}/cells.samples.npz",
        curves=f"{RESULTS}/curves.csv",
        strategies=f"{RESULTS}/strategies.csv",
        inference=f"{RESULTS}/inference.csv",
        reconstruction=f"{RESULTS}/reconstruction.csv",
        claims=project_file("config/paper/claims.yaml"),
        tolerances=project_file("config/paper/tolerances.csv"),
        grids=[project_file(f"config/grids/{name}.yaml") for name in dict.fromkeys((grid.name, "paper"))],
        definitions=expand(project_file("config/tables/{table}.yaml"), table=grid.tables()),
        published=expand(project_file("config/paper/{table}.csv"), table=grid.tables()),
        code=stamp(source_files("sparsitysolver.reporting.claims.table")),
    output:
        f"{RESULTS}/claims.csv",
    log:
        "logs/claims.log",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        options=f"--grid {grid.name}",
    message:
        "judge the paper's claims"
    shell:
        "sparsitysolver report claims --results results {params.options} --out {output:q} > {log:q} 2>&1"
