rule adapt:
    input:
        data=lambda wildcards: f"{RESULTS}/data/{CELLS[wildcards.cell].task}.safetensors",
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
    priority: lambda wildcards: study.training_work(config, CELLS[wildcards.cell])
    group:
        lambda wildcards: needs.group(config, CELLS[wildcards.cell])
    conda:
        "../../envs/solverproof.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: needs.memory_mb(
            config, CELLS[wildcards.cell], attempt
        ),
        runtime=lambda wildcards, attempt: needs.training_minutes(
            config, CELLS[wildcards.cell], attempt
        ),
    params:
        spec=lambda wildcards: study.canonical(
            study.train_spec(config, CELLS[wildcards.cell])
        ),
        code=code_hash("adaptation"),
    shell:
        "python -m solverproof adapt --spec {params.spec:q} --data {input.data:q}"
        " --weights {output.weights:q} --history {output.history:q} --run {output.run:q}"
        " --checks {output.checks:q} --probes {output.probes:q} > {log:q} 2>&1"
