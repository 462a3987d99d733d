rule train:
    input:
        data=of_cell(study.data_path),
    output:
        weights=f"{RESULTS}/models/{{cell}}/weights.safetensors",
        history=f"{RESULTS}/models/{{cell}}/history.csv",
        run=f"{RESULTS}/models/{{cell}}/run.json",
    log:
        f"{RESULTS}/logs/train/{{cell}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{cell}}.tsv"
    wildcard_constraints:
        cell=r"[^/]+/[^/]+/(steps|tolerance)-[^/]+/seeds-\d+-\d+",
    # the longest jobs start first, so that none is left running alone at the end
    priority: of_cell(study.training_work)
    group:
        of_cell(needs.group)
    conda:
        "../../envs/solverproof.yaml"
    threads: 1
    resources:
        mem_mb=of_attempt(needs.memory_mb),
        runtime=of_attempt(needs.training_minutes),
        gpu=GPUS,
    params:
        spec=of_cell(study.train_spec, study.canonical),
        code=code_hash("training.loop"),
    shell:
        "python -m solverproof train --spec {params.spec:q} --data {input.data:q}"
        f" --checkpoint {shlex.quote(RESULTS)}/checkpoints/{{wildcards.cell:q}}"
        " --weights {output.weights:q} --history {output.history:q} --run {output.run:q} > {log:q} 2>&1"
