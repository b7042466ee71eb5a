# Every file that is made of records alone: collected records, tables, figures, pages (sparsitysolver/plans/documents.py).


for document in documents(artefacts, arena, config):

    rule:
        name:
            document.name
        input:
            **document.inputs,
        output:
            in_report(document),
        log:
            document.log,
        conda:
            "../envs/report.yaml"
        resources:
            mem_mb=2000,
            runtime=10,
        params:
            **document.settings,
            code=document.code_hash,
            command=filled(document),
        shell:
            "( {params.command} ) > {log:q} 2>&1"
