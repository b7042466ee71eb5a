# The transfer matrix: every model under the strategies of all models of the grid.


rule transfer:
    input:
        ancient(preflight),
        unpack(lambda w: transfer_plan.inputs(artefacts, w.model)),
        code=stamp(stage_code("transfer_study", grid.task)),
    output:
        f"{RESULTS}/transfer/{{model}}/{{key}}.json",
    log:
        "logs/transfer/{model}/{key}.log",
    conda:
        "../envs/core.yaml"
    threads: torch_threads
    resources:
        mem_mb=memory,
        gpu=gpu,
        runtime=lambda w: transfer_plan.minutes(artefacts, w.model),
    params:
        model=model,
        common=common,
        options=lambda w: transfer_plan.options(artefacts, w.model),
        strategies=lambda w, input: len(input.strategies),
    message:
        "{wildcards.model}: evaluate under the strategies of {params.strategies} models [{resources.mem_mb} MB, {resources.gpu} GPU, {resources.runtime} min]"
    shell:
        "sparsitysolver study transfer {params.model:q} {input.strategies:q} {params.common} {params.options} "
        "--calibration {input.calibration:q} --stats {input.stats:q} --out {output:q} > {log:q} 2>&1"


rule transfer_matrix:
    input:
        records=lambda w: transfer_plan.records(artefacts),
        code=stamp(source_files("sparsitysolver.reporting.studies.transfer")),
    output:
        csv=f"{RESULTS}/transfer.csv",
        md=f"{RESULTS}/transfer.md",
    log:
        "logs/transfer.log",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    message:
        "write the transfer matrix"
    shell:
        "sparsitysolver report transfer {input.records:q} --out {output.csv:q} > {log:q} 2>&1"
