# Arithmetic checks of the published tables, as printed: no model, no measurement, no torch.


rule audit:
    input:
        tables=expand(project_file("config/paper/table{number}.csv"), number=range(1, 7)),
        claims=expand(project_file("config/paper/{name}"), name=["quantities.csv", "costs.yaml", "labels.csv"]),
        registries=expand(project_file("config/{name}.tsv"), name=["models", "tasks"]),
        code=stamp(source_files("sparsitysolver.reporting.audit.table")),
    output:
        f"{RESULTS}/audit.csv",
    log:
        "logs/audit.log",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        tables=lambda w, input: project_file("config/paper"),
    message:
        "audit the published tables"
    shell:
        "sparsitysolver audit {params.tables:q} --out {output:q} > {log:q} 2>&1"
