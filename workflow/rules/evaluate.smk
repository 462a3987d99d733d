rule evaluate:
    input:
        data=of_cell(study.data_path),
        weights=rules.train.output.weights,  # or the same files of rule adapt
        run=rules.train.output.run,
    output:
        f"{RESULTS}/evaluations/{{cell}}.csv",
    log:
        f"{RESULTS}/logs/evaluate/{{cell}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/{{cell}}.tsv"
    group:
        of_cell(needs.group)
    conda:
        "../../envs/solverproof.yaml"
    threads: 1
    resources:
        mem_mb=of_attempt(needs.memory_mb),
        runtime=of_attempt(needs.evaluation_minutes),
        gpu=GPUS,
    params:
        spec=of_cell(study.evaluation_spec, study.canonical),
        code=code_hash("evaluation.cross_solver"),
    shell:
        "python -m solverproof evaluate --spec {params.spec:q} --data {input.data:q}"
        " --weights {input.weights:q} --run {input.run:q} --out {output:q} > {log:q} 2>&1"
