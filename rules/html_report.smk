# results/report.html: Snakemake's own report, with pages that can be read in it.

# Pages of the report and the files they show; claims and audit stand beside one another.
PAGES = {
    **{table: f"{RESULTS}/{table}.md" for table in [*grid.tables(), "table7"]},
    "paper_tables": "paper_tables.md",
    "claims": f"{RESULTS}/claims.csv",
    "audit": f"{RESULTS}/audit.csv",
    "cells": f"{RESULTS}/cells.csv",
}
CATEGORIES = {"claims": "Claims and audit", "audit": "Claims and audit", "cells": "Provenance"}


rule page:
    input:
        source=lambda w: PAGES[w.page],
        code=stamp(source_files("sparsitysolver.reporting.pages.html")),
    output:
        report(
            f"{RESULTS}/pages/{{page}}.html",
            caption="../docs/report/page.rst",
            category=lambda w: CATEGORIES.get(w.page, "Tables"),
            labels={"page": "{page}", "as": "HTML"},
        ),
    log:
        "logs/pages/{page}.log",
    wildcard_constraints:
        page="|".join(PAGES),
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        title=lambda w: grid.table(w.page).title if w.page in grid.tables() else "",
        grid=grid.name,
    message:
        "page of {wildcards.page} for the report"
    shell:
        "sparsitysolver report html {input.source:q} --out {output:q} > {log:q} 2>&1"


# Snakemake writes its report in a call of its own. It only reads, and all that it reads is finished and recorded before
# this job starts, so that it may run beside the call that holds the folder's lock.
rule html_report:
    input:
        pages=expand(f"{RESULTS}/pages/{{page}}.html", page=PAGES),
        tables=expand(f"{RESULTS}/{{table}}.csv", table=[*grid.tables(), "table7"]),
        figures=expand("figures/{figure}.png", figure=needs.drawable(grid)),
        captions=expand(project_file("docs/report/{name}.rst"), name=["workflow", "page", "table", "figure"]),
    output:
        f"{RESULTS}/report.html",
    log:
        "logs/report.log",
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        snakefile=lambda w, input: project_file("Snakefile"),
        config=settings_of_run,
    message:
        "write {output}"
    shell:
        "snakemake -s {params.snakefile:q} {input.pages:q} {input.tables:q} {input.figures:q} --report {output:q} --nolock "
        "--config {params.config} > {log:q} 2>&1"
