rule evaluate:
    input:
        data=lambda wildcards: f"{RESULTS}/data/{CELLS[wildcards.cell].task}.safetensors",
        weights=rules.train.output.weights,  # or the same files of rule adapt
        run=rules.train.output.run,
    output:
        f"{RESULTS}/evaluations/{{cell}}.csv",
    log:
        f"{RESULTS}/logs/evaluate/{{cell}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/{{cell}}.tsv"
    group:
        lambda wildcards: needs.group(config, CELLS[wildcards.cell])
    conda:
        "../../envs/solverproof.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: needs.memory_mb(
            config, CELLS[wildcards.cell], attempt
        ),
        runtime=lambda wildcards, attempt: needs.evaluation_minutes(
            config, CELLS[wildcards.cell], attempt
        ),
    params:
        spec=lambda wildcards: study.canonical(
            study.evaluation_spec(config, CELLS[wildcards.cell])
        ),
        code=code_hash("evaluation"),
    shell:
        "python -m solverproof evaluate --spec {params.spec:q} --data {input.data:q}"
        " --weights {input.weights:q} --run {input.run:q} --out {output:q} > {log:q} 2>&1"
