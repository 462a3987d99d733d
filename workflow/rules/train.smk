rule train:
    input:
        data=lambda wildcards: f"{RESULTS}/data/{CELLS[wildcards.cell].task}.safetensors",
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
        code=code_hash("training"),
    shell:
        "python -m solverproof train --spec {params.spec:q} --data {input.data:q}"
        " --weights {output.weights:q} --history {output.history:q} --run {output.run:q} > {log:q} 2>&1"
