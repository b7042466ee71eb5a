# From cells to tables and documents: nothing here imports torch.


rule collect:
    input:
        cells=[grid.cell_path(cell) for cell in grid.cells()],
        code=source_files("sparsitysolver.reporting.collect"),
    output:
        f"{RESULTS}/cells.csv",
    log:
        "logs/collect.log",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    shell:
        "sparsitysolver report collect {input.cells} --out {output} > {log} 2>&1"
