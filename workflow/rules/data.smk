rule prepare:
    output:
        f"{RESULTS}/data/{{task}}.safetensors",
    log:
        f"{RESULTS}/logs/prepare/{{task}}.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        spec=of_task(specs.data_spec, canonical),
        code=of_task(specs.data_code),
    shell:
        "python -m solverproof prepare --spec={params.spec:q} --out={output:q} > {log:q} 2>&1"
