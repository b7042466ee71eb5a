# From cells to tables and documents: nothing here imports torch.


rule collect:
    input:
        cells=lambda w: artefacts.cell_paths(w.cells),
        code=source_files("sparsitysolver.reporting.collect"),
    output:
        cells=f"{RESULTS}/{{cells}}.csv",
        samples=f"{RESULTS}/{{cells}}.samples.npz",
    log:
        "logs/{cells}.log",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    message:
        "collect {wildcards.cells}"
    shell:
        "sparsitysolver report collect {input.cells} --out {output.cells} > {log} 2>&1"


rule table:
    input:
        cells=f"{RESULTS}/cells_{{table}}.csv",
        samples=f"{RESULTS}/cells_{{table}}.samples.npz",
        definition="config/tables/{table}.yaml",
        published="config/paper/{table}.csv",
        code=source_files("sparsitysolver.reporting.table_files"),
    output:
        f"{RESULTS}/{{table}}.csv",
        f"{RESULTS}/{{table}}.tex",
        f"{RESULTS}/{{table}}_extended.csv",
        f"{RESULTS}/{{table}}_extended.tex",
        f"{RESULTS}/{{table}}.footnotes.json",
        f"{RESULTS}/{{table}}.pairs.csv",
    log:
        "logs/{table}.log",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        models=lambda w: " ".join(grid.table_models(w.table)),
        tasks=lambda w: " ".join(grid.table_tasks(w.table) or [grid.task]),
    message:
        "write {wildcards.table}"
    shell:
        "sparsitysolver report table {wildcards.table} --cells {input.cells} --models {params.models} "
        "--tasks {params.tasks} --out results > {log} 2>&1"


rule paper_tables:
    input:
        tables=expand(f"{RESULTS}/{{table}}.csv", table=grid.tables()),
        footnotes=expand(f"{RESULTS}/{{table}}.footnotes.json", table=grid.tables()),
        pairs=expand(f"{RESULTS}/{{table}}.pairs.csv", table=grid.tables()),
        cells=f"{RESULTS}/cells.csv",
        tolerances="config/paper/tolerances.csv",
        code=source_files("sparsitysolver.reporting.paper_tables"),
    output:
        "paper_tables.md",
    log:
        "logs/paper_tables.log",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        options=f"--grid {grid.name}",
    message:
        "write paper_tables.md"
    shell:
        "sparsitysolver report paper-tables {params.options} --out {output} > {log} 2>&1"
