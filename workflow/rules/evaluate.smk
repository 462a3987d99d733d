rule evaluate:
    input:
        data=of_cell(specs.data_path(RESULTS)),
        weights=rules.train.output.weights,  # or those of rule adapt, which have the same paths
        run=rules.train.output.run,
    output:
        out=f"{RESULTS}/evaluations/{{cell}}.csv",
        references=f"{RESULTS}/references/{{cell}}.safetensors",
    log:
        f"{RESULTS}/logs/evaluate/{{cell}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/{{cell}}.tsv"
    group:
        of_cell(needs.group)
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=of_attempt(needs.memory_mb),
        runtime=of_attempt(needs.evaluation_minutes),
        gpu=GPUS,
    params:
        verb="evaluate",
        spec=of_cell(specs.evaluation_spec, canonical),
        code=of_cell(specs.evaluation_code),
        files=lambda _, input, output: [
            f"--{name}={path}" for name, path in (*input.items(), *output.items())
        ],
    shell:
        "python -m solverproof {params.verb} --spec={params.spec:q} {params.files:q}"
        " > {log:q} 2>&1"


use rule evaluate as audit with:
    input:
        data=of_cell(specs.data_path(RESULTS)),
        weights=rules.train.output.weights,
        run=rules.train.output.run,
        references=rules.evaluate.output.references,
    output:
        out=f"{RESULTS}/audits/{{cell}}.csv",
    log:
        f"{RESULTS}/logs/audit/{{cell}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/audit/{{cell}}.tsv"
    params:
        verb="examine",
        spec=of_cell(specs.audit_spec(STUDY), canonical),
        code=of_cell(specs.audit_code),


EXPLORED = [cell.path for cell in specs.explored(STUDY)]


use rule evaluate as explore with:
    input:
        data=of_cell(specs.data_path(RESULTS)),
        weights=rules.train.output.weights,
        run=rules.train.output.run,
    output:
        out=f"{RESULTS}/explorations/{{cell}}.safetensors",
    log:
        f"{RESULTS}/logs/explore/{{cell}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/explore/{{cell}}.tsv"
    params:
        verb="explore",
        spec=of_cell(specs.evaluation_spec, canonical),
        code=of_cell(specs.explore_code),


use rule evaluate as trace with:
    input:
        data=of_cell(specs.data_path(RESULTS)),
        weights=rules.train.output.weights,
    output:
        out=f"{RESULTS}/traces/{{cell}}/seed-{{seed}}.safetensors",
    log:
        f"{RESULTS}/logs/trace/{{cell}}/seed-{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/trace/{{cell}}/seed-{{seed}}.tsv"
    params:
        verb="trace",
        spec=of_seed(specs.trace_spec, canonical),
        code=of_cell(specs.trace_code),
