rule adapt:
    input:
        data=of_cell(study.data_path),
    output:
        weights=f"{RESULTS}/models/{{cell}}/weights.safetensors",
        history=f"{RESULTS}/models/{{cell}}/history.csv",
        run=f"{RESULTS}/models/{{cell}}/run.json",
        checks=f"{RESULTS}/models/{{cell}}/checks.csv",
        probes=f"{RESULTS}/models/{{cell}}/probes.csv",
    log:
        f"{RESULTS}/logs/adapt/{{cell}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/adapt/{{cell}}.tsv"
    wildcard_constraints:
        cell=r"[^/]+/[^/]+/(?!steps-|tolerance-)[^/]+/seeds-\d+-\d+",
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
        code=code_hash("training.controllers.families", "training.controllers.probing"),
    shell:
        "python -m solverproof adapt --spec {params.spec:q} --data {input.data:q}"
        f" --checkpoint {shlex.quote(RESULTS)}/checkpoints/{{wildcards.cell:q}}"
        " --weights {output.weights:q} --history {output.history:q} --run {output.run:q}"
        " --checks {output.checks:q} --probes {output.probes:q} > {log:q} 2>&1"
