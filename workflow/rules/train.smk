rule train:
    input:
        data=of_cell(specs.data_path(RESULTS)),
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
    # The longest jobs start first, so that none is left running alone at the end.
    priority: of_cell(training_work)
    group:
        of_cell(needs.group)
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=of_attempt(needs.memory_mb),
        runtime=of_attempt(needs.training_minutes),
        gpu=GPUS,
    params:
        verb="train",
        spec=of_cell(specs.training_spec, canonical),
        code=of_cell(specs.training_code),
        files=lambda _, output: [f"--{name}={path}" for name, path in output.items()],
    shell:
        "python -m solverproof {params.verb} --spec={params.spec:q} --data={input.data:q}"
        f" --checkpoint={shlex.quote(RESULTS)}/checkpoints/{{wildcards.cell:q}}"
        " {params.files:q} > {log:q} 2>&1"


use rule train as adapt with:
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
    params:
        verb="adapt",
