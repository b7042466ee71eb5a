# The gate before pruning: wrong weights or texts stop a run with a diagnosis before hours are spent.


rule preflight:
    input:
        cell=lambda w: checks.dense_path(artefacts, w.model),
        published=project_file("config/paper/dense.csv"),
        code=stamp(stage_code("preflight", grid.task)),
    output:
        f"{RESULTS}/preflight/{{model}}/{{key}}.json",
    log:
        "logs/preflight/{model}/{key}.log",
    conda:
        "../envs/core.yaml"
    threads: torch_threads
    resources:
        mem_mb=memory,
        gpu=gpu,
        runtime=minutes("sample"),
    params:
        model=model,
        common=common,
        task=grid.task,
    message:
        "{wildcards.model}: dense perplexity against the published one [{resources.mem_mb} MB, {resources.gpu} GPU, {resources.runtime} min]"
    shell:
        "sparsitysolver preflight {params.model:q} {params.common} --task {params.task:q} --cell {input.cell:q} "
        "--out {output:q} > {log:q} 2>&1"
