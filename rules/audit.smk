# Arithmetic checks of the published tables, as printed: no model, no measurement, no torch.


rule audit:
    input:
        tables=expand("config/paper/table{number}.csv", number=range(1, 7)),
        claims=expand("config/paper/{name}", name=["quantities.csv", "costs.yaml", "labels.csv"]),
        registries=["config/models.tsv", "config/tasks.tsv"],
        code=stamp(source_files("sparsitysolver.reporting.audit")),
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
    message:
        "audit the published tables"
    shell:
        "sparsitysolver audit config/paper --out {output} > {log} 2>&1"
