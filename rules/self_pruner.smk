# Self-Pruner's own table: accuracy lost on seven tasks and speed gained at its two published compressions.


rule self_pruner_inference:
    input:
        models=lambda w: self_pruner_plan.timed_folders(artefacts),
        code=stamp(source_files("sparsitysolver.stages.inference")),
    output:
        f"{RESULTS}/inference/{self_pruner_plan.NAME}/{{model}}/{{key}}.json",
    log:
        "logs/inference/self_pruner/{model}/{key}.log",
    conda:
        "../envs/core.yaml"
    threads: alone
    resources:
        mem_mb=lambda w: 2 * memory(w),
        gpu=gpu,
        runtime=minutes("inference"),
    params:
        model=model,
        common=common,
        options=measurements.inference_options(artefacts),
    message:
        "{wildcards.model}: generation of the dense model and of Self-Pruner's rows, alone on the machine [{resources.mem_mb} MB, {resources.gpu} GPU, {resources.runtime} min]"
    shell:
        "sparsitysolver bench inference {params.model:q} {input.models:q} {params.common} "
        "{params.options} --out {output:q} > {log:q} 2>&1"


rule self_pruner_cells:
    input:
        cells=lambda w: self_pruner_plan.cells(artefacts),
        code=stamp(source_files("sparsitysolver.reporting.collected.collect")),
    output:
        cells=f"{RESULTS}/cells_self_pruner.csv",
        samples=f"{RESULTS}/cells_self_pruner.samples.npz",
    log:
        "logs/cells_self_pruner.log",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    message:
        "collect the cells of Self-Pruner's table"
    shell:
        "sparsitysolver report collect {input.cells:q} --out {output.cells:q} > {log:q} 2>&1"


rule self_pruner_table:
    input:
        cells=f"{RESULTS}/cells_self_pruner.csv",
        samples=f"{RESULTS}/cells_self_pruner.samples.npz",
        inference=lambda w: self_pruner_plan.inference_path(artefacts),
        definition=project_file("config/self_pruner.yaml"),
        code=stamp(source_files("sparsitysolver.reporting.studies.self_pruner")),
    output:
        csv=f"{RESULTS}/self_pruner.csv",
        md=f"{RESULTS}/self_pruner.md",
    log:
        "logs/self_pruner.log",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    message:
        "write Self-Pruner's table"
    shell:
        "sparsitysolver report self-pruner {input.cells:q} --inference {input.inference:q} --out {output.csv:q} > {log:q} 2>&1"
