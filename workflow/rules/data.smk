rule prepare:
    output:
        f"{RESULTS}/data/{{task}}.safetensors",
    log:
        f"{RESULTS}/logs/prepare/{{task}}.log",
    conda:
        "../../envs/solverproof.yaml"
    params:
        spec=lambda wildcards: study.canonical(config["tasks"][wildcards.task]["data"]),
        code=code_hash("datasets", "datasets.spheres", "datasets.digits"),
    shell:
        "python -m solverproof prepare --spec {params.spec:q} --out {output:q} > {log:q} 2>&1"
