# Every job on a model. What it reads, how it is asked for and what it takes of the machine, its Job knows
# (sparsitysolver/plans/job.py); the key in its path holds all that decides its result.


for stage, job_of in stages(artefacts, arena).items():

    rule:
        name:
            stage.name
        input:
            ancient(asked(job_of, gate)),
            unpack(asked(job_of, lambda job: job.inputs)),
        output:
            [temp(directory(path)) if stage == PRUNE else path for path in stage.patterns],
        log:
            f"logs/{stage.folder}/{{key}}.log",
        conda:
            "../envs/core.yaml"
        threads: everything if stage.alone else demanded(job_of, "threads")
        resources:
            **{name: demanded(job_of, name) for name in ("mem_mb", "gpu", "runtime")},
        params:
            code=asked(job_of, lambda job: code_sha256(job.code)),
            command=asked_with_files(job_of, artefacts.command),
        shell:
            "{params.command} > {log:q} 2>&1"


# The bundled miniature models, trained anew from their seed (the shipped ones lie in sparsitysolver/models/tiny).
rule train_tiny:
    output:
        directory(f"{RESULTS}/trained/{{model}}"),
    log:
        "logs/train/{model}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        code=lambda wildcards: code_sha256(source_files("sparsitysolver.models.train_tiny")),
    shell:
        "python -m sparsitysolver.models.train_tiny {wildcards.model:q} --out {output:q} > {log:q} 2>&1"
