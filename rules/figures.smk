# From collected results to pictures: figures/NAME.py draws results/*_NAME.csv (no torch).


rule figure:
    input:
        script=project_file("figures/{figure}.py"),
        definition=project_file("config/figures/{figure}.yaml"),
        data=lambda w: collected.figure_files(w.figure),
        style=project_file("sparsitysolver/reporting/plots/style.mplstyle"),
        code=lambda w: stamp(source_files(f"figures.{w.figure}")),
    output:
        png=report(
            "figures/{figure}.png",
            caption="../docs/report/figure.rst",
            category="Figures",
            labels={"page": "{figure}", "as": "PNG"},
        ),
        pdf=report(
            "figures/{figure}.pdf",
            caption="../docs/report/figure.rst",
            category="Figures",
            labels={"page": "{figure}", "as": "PDF"},
        ),
        caption="figures/{figure}.txt",
    log:
        "logs/{figure}.log",
    wildcard_constraints:
        figure=r"figure\d+",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        results=RESULTS,
        grid=grid.name,
        title=lambda w: needs.figure(w.figure).title,
        out=lambda w, output: output.png.removesuffix(".png"),
    message:
        "draw {wildcards.figure}"
    shell:
        "python {input.script:q} --results {params.results:q} --out {params.out:q} > {log:q} 2>&1"
