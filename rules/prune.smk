# From a model to its cells: sample, calibrate, search, prune, evaluate.


rule sample:
    input:
        code=lambda w: stamp(stage_code("sample", w.draw.split("-")[0])),
    output:
        ids=f"{RESULTS}/calibration/{{model}}/{{draw}}/{{key}}.npy",
        record=f"{RESULTS}/calibration/{{model}}/{{draw}}/{{key}}.npy.json",
    log:
        "logs/sample/{model}/{draw}/{key}.log",
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=minutes("sample"),
    params:
        model=model,
        common=common,
        options=lambda w: artefacts.sample_options(w.draw),
    message:
        "{wildcards.model}: draw calibration windows {wildcards.draw} [{resources.mem_mb} MB, {resources.runtime} min]"
    shell:
        "sparsitysolver sample {params.model:q} {params.common} {params.options} --gpus 0 --out {output.ids:q} > {log:q} 2>&1"


rule calibrate:
    input:
        ids=lambda w: artefacts.ids_path(w.model, w.draw),
        code=stamp(stage_code("calibrate", grid.task)),
    output:
        f"{RESULTS}/statistics/{{model}}/{{granularity}}/{{draw}}/{{key}}.safetensors",
    log:
        "logs/calibrate/{model}/{granularity}/{draw}/{key}.log",
    conda:
        "../envs/core.yaml"
    threads: torch_threads
    resources:
        mem_mb=memory,
        gpu=gpu,
        runtime=minutes("calibrate"),
    params:
        model=model,
        common=common,
    message:
        "{wildcards.model}: {wildcards.granularity} statistics over {wildcards.draw} [{resources.mem_mb} MB, {resources.gpu} GPU, {resources.runtime} min]"
    shell:
        "sparsitysolver calibrate {params.model:q} {params.common} --granularity {wildcards.granularity:q} "
        "--calibration {input.ids:q} --out {output:q} > {log:q} 2>&1"


rule search:
    input:
        ancient(preflight),
        unpack(lambda w: artefacts.search_inputs(cell_of(w))),
        code=lambda w: stamp(search_code(artefacts.algorithm(cell_of(w)), w.target)),
    output:
        strategy=f"{RESULTS}/strategies/{{model}}/{{method}}/{{sparsity}}/{{seed}}/{{target}}/{{key}}.json",
        curve=f"{RESULTS}/strategies/{{model}}/{{method}}/{{sparsity}}/{{seed}}/{{target}}/{{key}}.curve.csv",
    log:
        "logs/search/{model}/{method}/{sparsity}/{seed}/{target}/{key}.log",
    conda:
        "../envs/core.yaml"
    threads: torch_threads
    resources:
        mem_mb=memory,
        gpu=gpu,
        runtime=search_minutes,
    params:
        model=model,
        common=common,
        options=lambda w, input: artefacts.search_options(cell_of(w)),
        warm_start=lambda w, input: artefacts.warm_start(dict(input.items())),
    message:
        "{wildcards.model}: {wildcards.method} search at sparsity {wildcards.sparsity}, {wildcards.target} task; follow it with tail -f {log} [{resources.mem_mb} MB, {resources.gpu} GPU, {resources.runtime} min]"
    shell:
        "sparsitysolver search {params.model:q} {params.common} {params.options} {params.warm_start} --sparsity {wildcards.sparsity:q} "
        "--calibration {input.calibration:q} --stats {input.stats:q} --out {output.strategy:q} > {log:q} 2>&1"


rule prune:
    input:
        ancient(preflight),
        unpack(lambda w: artefacts.prune_inputs(cell_of(w))),
        code=lambda w: stamp(prune_code(w.method)),
    output:
        temp(directory(f"{RESULTS}/pruned/{{model}}/{{method}}/{{sparsity}}/{{seed}}/{{target}}/{{key}}")),
    log:
        "logs/prune/{model}/{method}/{sparsity}/{seed}/{target}/{key}.log",
    conda:
        "../envs/core.yaml"
    threads: torch_threads
    resources:
        mem_mb=memory,
        gpu=gpu,
        runtime=minutes("prune"),
    params:
        model=model,
        common=common,
        options=lambda w, input: artefacts.prune_options(dict(input.items())),
        row=lambda w: deciding(w.method),
    message:
        "{wildcards.model}: prune by {wildcards.method} to sparsity {wildcards.sparsity}, seed {wildcards.seed} [{resources.mem_mb} MB, {resources.gpu} GPU, {resources.runtime} min]"
    shell:
        "sparsitysolver prune {params.model:q} {params.common} {params.options} --method {wildcards.method:q} "
        "--sparsity {wildcards.sparsity:q} --seed-index {wildcards.seed:q} --allow-skip --out {output:q} > {log:q} 2>&1"


rule evaluate:
    input:
        model=lambda w: [] if w.method == "dense" else artefacts.pruned_path(cell_of(w)),
        code=lambda w: stamp(stage_code("evaluate", w.task)),
    output:
        f"{RESULTS}/cells/{{model}}/{{method}}/{{sparsity}}/{{seed}}/{{task}}/{{key}}.json",
    log:
        "logs/evaluate/{model}/{method}/{sparsity}/{seed}/{task}/{key}.log",
    conda:
        "../envs/core.yaml"
    threads: torch_threads
    resources:
        mem_mb=memory,
        gpu=gpu,
        runtime=evaluate_minutes,
    params:
        model=lambda w, input: input.model or model(w),
        common=common,
        options=lambda w: artefacts.evaluate_options(w.task),
    message:
        "{wildcards.model}: evaluate {wildcards.method} at sparsity {wildcards.sparsity} on {wildcards.task} [{resources.mem_mb} MB, {resources.gpu} GPU, {resources.runtime} min]"
    shell:
        "sparsitysolver evaluate {params.model:q} {params.common} {params.options} --out {output:q} > {log:q} 2>&1"
