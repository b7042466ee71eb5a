# From a model to its cells: sample, calibrate, search, prune, evaluate.


rule sample:
    input:
        code=source_files("sparsitysolver.stages.sample"),
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
        options=lambda w: grid.sample_options(w.draw),
    message:
        "{wildcards.model}: draw calibration windows {wildcards.draw} [{resources.mem_mb} MB, {resources.runtime} min]"
    shell:
        "sparsitysolver sample {params.model} {params.common} {params.options} --gpus 0 --out {output.ids} > {log} 2>&1"


rule calibrate:
    input:
        ids=lambda w: grid.ids_path(w.model, w.draw),
        code=source_files("sparsitysolver.stages.calibrate"),
    output:
        f"{RESULTS}/statistics/{{model}}/{{draw}}/{{key}}.safetensors",
    log:
        "logs/calibrate/{model}/{draw}/{key}.log",
    conda:
        "../envs/core.yaml"
    threads: grid.threads
    resources:
        mem_mb=memory,
        gpu=gpus,
        runtime=minutes("calibrate"),
    params:
        model=model,
        common=common,
    message:
        "{wildcards.model}: statistics over {wildcards.draw} [{resources.mem_mb} MB, {resources.gpu} GPU, {resources.runtime} min]"
    shell:
        "sparsitysolver calibrate {params.model} {params.common} --calibration {input.ids} --out {output} > {log} 2>&1"


rule search:
    input:
        ids=lambda w: grid.ids_path(w.model, grid.draw(w.method, w.seed)),
        stats=lambda w: grid.stats_path(w.model, grid.draw(w.method, w.seed)),
        code=source_files("sparsitysolver.stages.search"),
    output:
        strategy=f"{RESULTS}/strategies/{{model}}/{{method}}/{{sparsity}}/{{seed}}/{{key}}.json",
        curve=f"{RESULTS}/strategies/{{model}}/{{method}}/{{sparsity}}/{{seed}}/{{key}}.curve.csv",
    log:
        "logs/search/{model}/{method}/{sparsity}/{seed}/{key}.log",
    conda:
        "../envs/core.yaml"
    threads: grid.threads
    resources:
        mem_mb=memory,
        gpu=gpus,
        runtime=minutes("search"),
    params:
        model=model,
        common=common,
        options=grid.search_options(),
        seed=lambda w: grid.search_seed(cell_of(w)),
        text=grid.task,
    message:
        "{wildcards.model}: search at sparsity {wildcards.sparsity}; follow it with tail -f {log} [{resources.mem_mb} MB, {resources.gpu} GPU, {resources.runtime} min]"
    shell:
        "sparsitysolver search {params.model} {params.common} {params.options} --sparsity {wildcards.sparsity} --seed {params.seed} "
        "--text {params.text} --calibration {input.ids} --stats {input.stats} --out {output.strategy} > {log} 2>&1"


rule prune:
    input:
        unpack(lambda w: grid.prune_inputs(cell_of(w))),
        code=lambda w: grid.prune_code(w.method),
    output:
        temp(directory(f"{RESULTS}/pruned/{{model}}/{{method}}/{{sparsity}}/{{seed}}/{{key}}")),
    log:
        "logs/prune/{model}/{method}/{sparsity}/{seed}/{key}.log",
    conda:
        "../envs/core.yaml"
    threads: grid.threads
    resources:
        mem_mb=memory,
        gpu=gpus,
        runtime=minutes("prune"),
    params:
        model=model,
        common=common,
        options=lambda w, input: grid.prune_options(dict(input.items())),
        row=lambda w: grid.deciding(w.method),
    message:
        "{wildcards.model}: prune by {wildcards.method} to sparsity {wildcards.sparsity}, seed {wildcards.seed} [{resources.mem_mb} MB, {resources.gpu} GPU, {resources.runtime} min]"
    shell:
        "sparsitysolver prune {params.model} {params.common} {params.options} --method {wildcards.method} "
        "--sparsity {wildcards.sparsity} --seed-index {wildcards.seed} --out {output} > {log} 2>&1"


rule evaluate:
    input:
        model=lambda w: [] if w.method == "dense" else grid.pruned_path(cell_of(w)),
        code=source_files("sparsitysolver.stages.evaluate"),
    output:
        f"{RESULTS}/cells/{{model}}/{{method}}/{{sparsity}}/{{seed}}/{{task}}/{{key}}.json",
    log:
        "logs/evaluate/{model}/{method}/{sparsity}/{seed}/{task}/{key}.log",
    conda:
        "../envs/core.yaml"
    threads: grid.threads
    resources:
        mem_mb=memory,
        gpu=gpus,
        runtime=minutes("evaluate"),
    params:
        model=lambda w, input: input.model or model(w),
        common=common,
    message:
        "{wildcards.model}: evaluate {wildcards.method} at sparsity {wildcards.sparsity} on {wildcards.task} [{resources.mem_mb} MB, {resources.gpu} GPU, {resources.runtime} min]"
    shell:
        "sparsitysolver evaluate {params.model} {params.common} --task {wildcards.task} --split test "
        "--out {output} > {log} 2>&1"
