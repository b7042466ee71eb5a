# Measurements: speed and memory of pruned models, and what reconstruction gains by samples and modules.


rule inference:
    input:
        models=lambda w: artefacts.inference_folders(w),
        code=source_files("sparsitysolver.stages.inference"),
    output:
        f"{RESULTS}/inference/{{model}}/{{key}}.json",
    log:
        "logs/inference/{model}/{key}.log",
    conda:
        "../envs/core.yaml"
    # Times are the result, and any other job would be measured with them. The number of torch threads is the grid's.
    threads: alone
    resources:
        mem_mb=lambda w: 2 * memory(w),
        gpu=gpu,
        runtime=minutes("inference"),
    params:
        model=model,
        common=common,
        options=lambda w: artefacts.inference_options(w),
    message:
        "{wildcards.model}: inference of the dense model and {input.models}, alone on the machine [{resources.mem_mb} MB, {resources.gpu} GPU, {resources.runtime} min]"
    shell:
        "sparsitysolver bench inference {params.model} {input.models} {params.common} {params.options} "
        "--out {output} > {log} 2>&1"


rule reconstruction_study:
    input:
        unpack(lambda w: artefacts.study_inputs(w)),
        code=source_files("sparsitysolver.stages.reconstruction_study"),
    output:
        f"{RESULTS}/reconstruction/{{model}}/{{sparsity}}/{{key}}.json",
    log:
        "logs/reconstruction/{model}/{sparsity}/{key}.log",
    conda:
        "../envs/core.yaml"
    threads: grid.threads
    resources:
        mem_mb=memory,
        gpu=gpu,
        runtime=minutes("reconstruction_study"),
    params:
        model=model,
        common=common,
        files=lambda w, input: artefacts.prune_options(dict(input.items())),
        options=lambda w: artefacts.study_options(w),
    message:
        "{wildcards.model}: reconstruction at sparsity {wildcards.sparsity} by samples and modules [{resources.mem_mb} MB, {resources.gpu} GPU, {resources.runtime} min]"
    shell:
        "sparsitysolver study reconstruction {params.model} {params.common} {params.files} {params.options} "
        "--sparsity {wildcards.sparsity} --out {output} > {log} 2>&1"


rule collect_measurements:
    input:
        records=lambda w: artefacts.measurement_records(w.measured, w.scope),
        code=lambda w: source_files(f"sparsitysolver.reporting.{w.measured}"),
    output:
        f"{RESULTS}/{{measured}}{{scope}}.csv",
    log:
        "logs/{measured}{scope}.log",
    wildcard_constraints:
        measured="inference|reconstruction",
        scope=r"(_(figure|table)\d+)?",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    message:
        "collect {wildcards.measured}{wildcards.scope}.csv"
    shell:
        "sparsitysolver report {wildcards.measured} {input.records} --out {output} > {log} 2>&1"
