FLOW = study.flow(config)
FIGURE = [f"{RESULTS}/figures/{{name}}.pdf", f"{RESULTS}/figures/{{name}}.png"]
ADAPTED = study.adapted(config)
NAMES = [
    "figure3_fan",
    *[
        f"figure4_accuracy_{task}"
        for task in config["select"]["tasks"]
        if study.accuracy_spec(config, task)["solvers"]
    ],
    *(["figure1_trajectories", "figure2_regions"] if FLOW else []),
    *[f"figure5_adaptation_{name}" for name in ADAPTED],
]


wildcard_constraints:
    adapted="|".join(ADAPTED) or "none",


rule fan:
    output:
        pdf=report(
            f"{RESULTS}/figures/figure3_fan.pdf",
            caption="../report/figure3.rst",
            category="Figures",
        ),
        png=f"{RESULTS}/figures/figure3_fan.png",
    log:
        f"{RESULTS}/logs/figures/figure3_fan.log",
    localrule: True
    conda:
        "../../envs/solverproof.yaml"
    params:
        code=code_hash("reporting.figures.fan"),
    shell:
        "python -m solverproof plot fan --spec '{{}}' --out {output:q} > {log:q} 2>&1"


rule accuracy:
    input:
        rules.tabulate.output.evaluations,
    output:
        pdf=report(
            f"{RESULTS}/figures/figure4_accuracy_{{task}}.pdf",
            caption="../report/figure4.rst",
            category="Figures",
        ),
        png=f"{RESULTS}/figures/figure4_accuracy_{{task}}.png",
    log:
        f"{RESULTS}/logs/figures/figure4_accuracy_{{task}}.log",
    localrule: True
    conda:
        "../../envs/solverproof.yaml"
    params:
        spec=lambda wildcards: study.canonical(
            study.accuracy_spec(config, wildcards.task)
        ),
        code=code_hash("reporting.figures.accuracy"),
    shell:
        "python -m solverproof plot accuracy --spec {params.spec:q} --inputs {input:q} --out {output:q} > {log:q} 2>&1"


rule trace:
    input:
        data=of_cell(study.data_path),
        weights=rules.train.output.weights,
    output:
        f"{RESULTS}/traces/{{cell}}/seed-{{seed}}.safetensors",
    log:
        f"{RESULTS}/logs/trace/{{cell}}/seed-{{seed}}.log",
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
        spec=lambda wildcards: study.canonical(
            study.trace_spec(config, CELLS[wildcards.cell], int(wildcards.seed))
        ),
        code=code_hash("evaluation.tracing"),
    shell:
        "python -m solverproof trace --spec {params.spec:q} --data {input.data:q}"
        " --weights {input.weights:q} --out {output:q} > {log:q} 2>&1"


if FLOW:

    rule trajectories:
        input:
            fine=expand(rules.trace.output[0], cell=FLOW.fine.path, seed=FLOW.seed),
            coarse=expand(rules.trace.output[0], cell=FLOW.coarse.path, seed=FLOW.seed),
            evaluations=rules.tabulate.output.evaluations,
        output:
            pdf=report(
                f"{RESULTS}/figures/figure1_trajectories.pdf",
                caption="../report/figure1.rst",
                category="Figures",
            ),
            png=f"{RESULTS}/figures/figure1_trajectories.png",
        log:
            f"{RESULTS}/logs/figures/figure1_trajectories.log",
        localrule: True
        conda:
            "../../envs/solverproof.yaml"
        params:
            spec=study.canonical(study.flow_spec(config)),
            code=code_hash("reporting.figures.trajectories"),
        shell:
            "python -m solverproof plot trajectories --spec {params.spec:q} --inputs {input:q} --out {output:q}"
            " > {log:q} 2>&1"

    rule regions:
        input:
            expand(rules.trace.output[0], cell=FLOW.coarse.path, seed=FLOW.seed),
        output:
            pdf=report(
                f"{RESULTS}/figures/figure2_regions.pdf",
                caption="../report/figure2.rst",
                category="Figures",
            ),
            png=f"{RESULTS}/figures/figure2_regions.png",
        log:
            f"{RESULTS}/logs/figures/figure2_regions.log",
        localrule: True
        conda:
            "../../envs/solverproof.yaml"
        params:
            spec=study.canonical(study.flow_spec(config)),
            code=code_hash("reporting.figures.regions"),
        shell:
            "python -m solverproof plot regions --spec {params.spec:q} --inputs {input:q} --out {output:q} > {log:q} 2>&1"


rule adaptation:
    input:
        lambda wildcards: expand(
            [rules.adapt.output.probes, rules.adapt.output.checks],
            cell=[cell.path for cell in ADAPTED[wildcards.adapted]],
        ),
    output:
        pdf=report(
            f"{RESULTS}/figures/figure5_adaptation_{{adapted}}.pdf",
            caption="../report/figure5.rst",
            category="Figures",
        ),
        png=f"{RESULTS}/figures/figure5_adaptation_{{adapted}}.png",
    log:
        f"{RESULTS}/logs/figures/figure5_adaptation_{{adapted}}.log",
    localrule: True
    conda:
        "../../envs/solverproof.yaml"
    params:
        spec=lambda wildcards: study.canonical(
            {"solver": ADAPTED[wildcards.adapted][0].solver.name}
        ),
        code=code_hash("reporting.figures.adaptation"),
    shell:
        "python -m solverproof plot adaptation --spec {params.spec:q} --inputs {input:q} --out {output:q} > {log:q} 2>&1"


rule figures:
    input:
        expand(FIGURE, name=NAMES),
