# Measurements: speed and memory of pruned models, and what reconstruction gains by samples and modules.


rule inference:
    input:
        models=lambda w: measurements.timed_folders(artefacts, w.model),
        code=stamp(source_files("sparsitysolver.stages.inference")),
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
        options=measurements.inference_options(artefacts),
        models=lambda w, input: len(input.models),
    message:
        "{wildcards.model}: inference of the dense and {params.models} pruned models, alone on the machine [{resources.mem_mb} MB, {resources.gpu} GPU, {resources.runtime} min]"
    shell:
        "sparsitysolver bench inference {params.model:q} {input.models:q} {params.common} "
        "{params.options} --out {output:q} > {log:q} 2>&1"


rule reconstruction_study:
    input:
        unpack(lambda w: measurements.study_inputs(artefacts, study(w))),
        code=stamp(source_files("sparsitysolver.stages.reconstruction_study")),
    output:
        f"{RESULTS}/reconstruction/{{model}}/{{sparsity}}/{{seed}}/{{key}}.json",
    log:
        "logs/reconstruction/{model}/{sparsity}/{seed}/{key}.log",
    conda:
        "../envs/core.yaml"
    threads: torch_threads
    resources:
        mem_mb=memory,
        gpu=gpu,
        runtime=minutes("reconstruction_study"),
    params:
        model=model,
        common=common,
        files=lambda w, input: artefacts.prune_options(dict(input.items())),
        options=lambda w: measurements.study_options(artefacts, study(w)),
    message:
        "{wildcards.model}: reconstruction at sparsity {wildcards.sparsity} by samples and modules [{resources.mem_mb} MB, {resources.gpu} GPU, {resources.runtime} min]"
    shell:
        "sparsitysolver study reconstruction {params.model:q} {params.common} {params.files} {params.options} "
        "--out {output:q} > {log:q} 2>&1"
