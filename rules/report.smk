# From cells to tables and documents: nothing here imports torch.


rule collect:
    input:
        cells=lambda w: collected.records(artefacts, w.cells),
        code=stamp(source_files("sparsitysolver.reporting.collected.collect")),
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
        "sparsitysolver report collect {input.cells:q} --out {output.cells:q} > {log:q} 2>&1"


rule gather:
    input:
        files=lambda w: collected.records(artefacts, f"{w.kind}{w.of}"),
        code=lambda w: stamp(source_files(f"sparsitysolver.reporting.collected.{w.kind}")),
    output:
        f"{RESULTS}/{{kind}}{{of}}.csv",
    log:
        "logs/{kind}{of}.log",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    message:
        "collect {wildcards.kind}{wildcards.of}"
    shell:
        "sparsitysolver report {wildcards.kind:q} {input.files:q} --out {output:q} > {log:q} 2>&1"


rule table:
    input:
        cells=f"{RESULTS}/cells_{{table}}.csv",
        samples=f"{RESULTS}/cells_{{table}}.samples.npz",
        curves=lambda w: collected.table_curves(artefacts, w.table),
        definition=project_file("config/tables/{table}.yaml"),
        published=project_file("config/paper/{table}.csv"),
        code=stamp(source_files("sparsitysolver.reporting.tables.files")),
    output:
        report(
            f"{RESULTS}/{{table}}.csv",
            caption="../docs/report/table.rst",
            category="Tables",
            labels={"page": "{table}", "as": "CSV"},
        ),
        f"{RESULTS}/{{table}}.md",
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
        models=lambda w: grid.table_models(w.table),
        tasks=lambda w: grid.table_tasks(w.table) or [grid.task],
        grid=grid.name,
        title=lambda w: grid.table(w.table).title,
    message:
        "write {wildcards.table}"
    shell:
        "sparsitysolver report table {wildcards.table:q} --cells {input.cells:q} --models {params.models:q} "
        "--tasks {params.tasks:q} --grid {params.grid:q} --out results > {log:q} 2>&1"


rule settings_table:
    input:
        strategies=lambda w: collected.settings_strategies(artefacts),
        published=project_file("config/paper/table7.csv"),
        code=stamp(source_files("sparsitysolver.reporting.tables.settings")),
    output:
        f"{RESULTS}/table7.csv",
        f"{RESULTS}/table7_extended.csv",
        f"{RESULTS}/table7.tex",
        f"{RESULTS}/table7.md",
        f"{RESULTS}/table7.strategies.json",
    log:
        "logs/table7.log",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    message:
        "write table7"
    shell:
        "sparsitysolver report settings {input.strategies:q} --out results > {log:q} 2>&1"


rule paper_tables:
    input:
        f"{RESULTS}/table7.csv",
        f"{RESULTS}/claims.csv",
        f"{RESULTS}/audit.csv",
        tables=expand(f"{RESULTS}/{{table}}.csv", table=grid.tables()),
        footnotes=expand(f"{RESULTS}/{{table}}.footnotes.json", table=grid.tables()),
        pairs=expand(f"{RESULTS}/{{table}}.pairs.csv", table=grid.tables()),
        cells=f"{RESULTS}/cells.csv",
        tolerances=project_file("config/paper/tolerances.csv"),
        code=stamp(source_files("sparsitysolver.reporting.pages.paper_tables")),
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
        "sparsitysolver report paper-tables {params.options} --out {output:q} > {log:q} 2>&1"
