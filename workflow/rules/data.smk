rule prepare:
    output:
        f"{RESULTS}/data/{{task}}.safetensors",
    log:
        f"{RESULTS}/logs/prepare/{{task}}.log",
    localrule: True
    conda:
        "../../envs/solverproof.yaml"
    params:
        spec=lambda wildcards: study.canonical(study.data_spec(config, wildcards.task)),
        code=lambda wildcards: code_hash(
            data_module(config["tasks"][wildcards.task]["data"])
        ),
    shell:
        "python -m solverproof prepare --spec {params.spec:q} --out {output:q} > {log:q} 2>&1"
