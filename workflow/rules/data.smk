rule prepare:
    output:
        f"{RESULTS}/data/{{task}}.safetensors",
    log:
        f"{RESULTS}/logs/prepare/{{task}}.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        spec=lambda wildcards: canonical(specs.data_spec(STUDY, wildcards.task)),
        code=lambda wildcards: specs.code_of(STUDY.tasks[wildcards.task].data),
    shell:
        "python -m solverproof prepare --spec={params.spec:q} --out={output:q} > {log:q} 2>&1"
