# Every search at the same budget of evaluated tokens, on the same model, windows and calibration.


rule arena_search:
    input:
        ancient(preflight),
        unpack(lambda w: arena.inputs(problem(w))),
        code=lambda w: stamp(search_code(arena.algorithm(w.entrant), grid.task)),
    output:
        strategy=f"{arena_plan.FOLDER}/strategies/{{model}}/{{granularity}}/{{sparsity}}/{{seed}}/{{entrant}}/{{key}}.json",
        curve=f"{arena_plan.FOLDER}/strategies/{{model}}/{{granularity}}/{{sparsity}}/{{seed}}/{{entrant}}/{{key}}.curve.csv",
    log:
        "logs/arena/{model}/{granularity}/{sparsity}/{seed}/{entrant}/{key}.log",
    conda:
        "../envs/core.yaml"
    threads: torch_threads
    resources:
        mem_mb=memory,
        gpu=gpu,
        runtime=lambda w: arena.search_minutes(problem(w)),
    params:
        model=model,
        common=common,
        options=lambda w, input: arena.options(problem(w), w.entrant),
    message:
        "{wildcards.model}: arena, {wildcards.entrant} at {wildcards.granularity} sparsity {wildcards.sparsity}, seed {wildcards.seed} [{resources.mem_mb} MB, {resources.gpu} GPU, {resources.runtime} min]"
    shell:
        "sparsitysolver search {params.model:q} {params.common} {params.options} --sparsity {wildcards.sparsity:q} "
        "--calibration {input.calibration:q} --stats {input.stats:q} --out {output.strategy:q} > {log:q} 2>&1"


rule arena_score:
    input:
        unpack(lambda w: arena.inputs(problem(w))),
        strategies=lambda w: arena.strategies(problem(w)),
        code=stamp((*stage_code("arena_study", grid.task), "config/arena.yaml")),
    output:
        f"{arena_plan.FOLDER}/scores/{{model}}/{{granularity}}/{{sparsity}}/{{seed}}/{{key}}.json",
    log:
        "logs/arena/{model}/{granularity}/{sparsity}/{seed}/scores/{key}.log",
    conda:
        "../envs/core.yaml"
    threads: torch_threads
    resources:
        mem_mb=memory,
        gpu=gpu,
        runtime=lambda w: arena.score_minutes(problem(w)),
    params:
        model=model,
        common=common,
        task=grid.task,
    message:
        "{wildcards.model}: arena, score all searches at {wildcards.granularity} sparsity {wildcards.sparsity}, seed {wildcards.seed} [{resources.mem_mb} MB, {resources.gpu} GPU, {resources.runtime} min]"
    shell:
        "sparsitysolver study arena {params.model:q} {input.strategies:q} {params.common} --granularity {wildcards.granularity:q} "
        "--sparsity {wildcards.sparsity:q} --seed-index {wildcards.seed:q} --task {params.task:q} "
        "--calibration {input.calibration:q} --stats {input.stats:q} --out {output:q} > {log:q} 2>&1"


rule arena_table:
    input:
        scores=lambda w: arena.scores(),
        definition=project_file("config/arena.yaml"),
        code=stamp(source_files("sparsitysolver.reporting.studies.arena")),
    output:
        csv=f"{RESULTS}/arena.csv",
        curves=f"{RESULTS}/anytime_arena.csv",
        ranks=f"{RESULTS}/arena_ranks.csv",
        pareto=f"{RESULTS}/arena_pareto.csv",
        md=f"{RESULTS}/arena.md",
    log:
        "logs/arena.log",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    message:
        "write the arena's table"
    shell:
        "sparsitysolver report arena {input.scores:q} --out {output.csv:q} > {log:q} 2>&1"


rule arena_figure:
    input:
        script=project_file("figures/arena.py"),
        definition=project_file("config/figures/arena.yaml"),
        curves=f"{RESULTS}/anytime_arena.csv",
        style=project_file("sparsitysolver/reporting/plots/style.mplstyle"),
        code=stamp(source_files("figures.arena")),
    output:
        png="figures/arena.png",
        pdf="figures/arena.pdf",
        caption="figures/arena.txt",
    log:
        "logs/figures_arena.log",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        folder=lambda w, input: Path(input.curves).parent,
        out=lambda w, output: output.png.removesuffix(".png"),
    message:
        "draw the arena's anytime curves"
    shell:
        "python {input.script:q} --results {params.folder:q} --out {params.out:q} > {log:q} 2>&1"
