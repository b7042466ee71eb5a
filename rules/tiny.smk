# The bundled miniature models, trained anew from their seed (the shipped ones lie in sparsitysolver/models/tiny).


rule train_tiny:
    input:
        code=stamp(source_files("sparsitysolver.models.train_tiny")),
    output:
        directory(f"{RESULTS}/trained/{{model}}"),
    log:
        "logs/train/{model}.log",
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    shell:
        "python -m sparsitysolver.models.train_tiny {wildcards.model:q} --out {output:q} > {log:q} 2>&1"
