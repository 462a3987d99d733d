FLOW = STUDY.flow
FIGURE = [f"{RESULTS}/figures/{{name}}.pdf", f"{RESULTS}/figures/{{name}}.png"]
ADAPTED = STUDY.adapted
SELECTED = {task: task for task in STUDY.config["select"]["tasks"]}
GRID = [cell for cell in STUDY.cells if cell.setting and cell.setting.steps]
NAMES = [
    "figure3_fan",
    *[
        f"figure4_accuracy_{task}"
        for task in SELECTED
        if specs.accuracy_spec(STUDY, task).solvers
    ],
    *(["figure1_trajectories", "figure2_regions"] if FLOW else []),
    *[f"figure5_adaptation_{name}" for name in ADAPTED],
    *(["figure6_criteria"] if GRID else []),
    *[
        f"figure7_collapse_{task}"
        for task in SELECTED
        if specs.collapse_spec(STUDY, task).solvers
    ],
    # Of two tasks it would show nothing.
    *(["figure9_growth"] if len({cell.task.name for cell in GRID}) > 2 else []),
    *[f"figure8_cost_{task}" for task in SELECTED if specs.cost_spec(STUDY, task).ways],
]

# a file of Snakemake's report, which shows images in place and hands out all else
IMAGE = lambda file: report(
    f"{RESULTS}/figures/{file}",
    caption=f"../report/{titles.kind_of(Path(file).stem)}.rst",
    category="Figures",
    labels=dict(zip(("figure", "of"), titles.figure_title(Path(file).stem))),
)


wildcard_constraints:
    adapted="|".join(ADAPTED) or "none",


rule fan:
    output:
        pdf=f"{RESULTS}/figures/figure3_fan.pdf",
        png=IMAGE("figure3_fan.png"),
    log:
        f"{RESULTS}/logs/figures/figure3_fan.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        figure="fan",
        spec="{}",
        code=code_hash("reporting.figures.fan"),
    shell:
        r"printf '%s\n' --inputs {input:q}"
        " | python -m solverproof plot {params.figure} --spec={params.spec:q} --out {output:q} - > {log:q} 2>&1"


# `use rule` silently drops localrule, so every figure repeats it.
use rule fan as accuracy with:
    input:
        rules.tabulate.output.evaluations,
        rules.tabulate.output.drops,
        rules.tabulate.output.critical,
    output:
        pdf=f"{RESULTS}/figures/figure4_accuracy_{{task}}.pdf",
        png=IMAGE("figure4_accuracy_{task}.png"),
    log:
        f"{RESULTS}/logs/figures/figure4_accuracy_{{task}}.log",
    localrule: True
    params:
        figure="accuracy",
        spec=wildcards.of_name(
            "task", SELECTED, partial(specs.accuracy_spec, STUDY), canonical
        ),
        code=code_hash("reporting.figures.accuracy"),


use rule fan as adaptation with:
    input:
        rules.tabulate.output.critical,
        lambda wildcards: expand(
            [rules.adapt.output.probes, rules.adapt.output.checks],
            cell=[cell.path for cell in ADAPTED[wildcards.adapted]],
        ),
    output:
        pdf=f"{RESULTS}/figures/figure5_adaptation_{{adapted}}.pdf",
        png=IMAGE("figure5_adaptation_{adapted}.png"),
    log:
        f"{RESULTS}/logs/figures/figure5_adaptation_{{adapted}}.log",
    localrule: True
    params:
        figure="adaptation",
        spec=lambda w: canonical(specs.adaptation_spec(STUDY, ADAPTED[w.adapted])),
        code=code_hash("reporting.figures.adaptation"),


use rule fan as criteria with:
    input:
        rules.gather.output.audits,
        rules.gather.output.criteria,
    output:
        pdf=f"{RESULTS}/figures/figure6_criteria.pdf",
        png=IMAGE("figure6_criteria.png"),
    log:
        f"{RESULTS}/logs/figures/figure6_criteria.log",
    localrule: True
    params:
        figure="criteria",
        spec="{}",
        code=code_hash("reporting.figures.criteria"),


use rule fan as growth with:
    input:
        rules.gather.output.audits,
        rules.gather.output.criteria,
    output:
        pdf=f"{RESULTS}/figures/figure9_growth.pdf",
        png=IMAGE("figure9_growth.png"),
    log:
        f"{RESULTS}/logs/figures/figure9_growth.log",
    localrule: True
    params:
        figure="growth",
        spec="{}",
        code=code_hash("reporting.figures.growth"),


use rule fan as collapse with:
    input:
        rules.tabulate.output.drops,
        rules.tabulate.output.critical,
    output:
        pdf=f"{RESULTS}/figures/figure7_collapse_{{task}}.pdf",
        png=IMAGE("figure7_collapse_{task}.png"),
    log:
        f"{RESULTS}/logs/figures/figure7_collapse_{{task}}.log",
    localrule: True
    params:
        figure="collapse",
        spec=wildcards.of_name(
            "task", SELECTED, partial(specs.collapse_spec, STUDY), canonical
        ),
        code=code_hash("reporting.figures.collapse"),


if CONTROLLED:

    use rule fan as cost with:
        input:
            rules.tabulate.output.drops,
            rules.compare.output.csv,
        output:
            pdf=f"{RESULTS}/figures/figure8_cost_{{task}}.pdf",
            png=IMAGE("figure8_cost_{task}.png"),
        log:
            f"{RESULTS}/logs/figures/figure8_cost_{{task}}.log",
        localrule: True
        params:
            figure="cost",
            spec=wildcards.of_name(
                "task", SELECTED, partial(specs.cost_spec, STUDY), canonical
            ),
            code=code_hash("reporting.figures.cost"),


if FLOW:

    use rule fan as trajectories with:
        input:
            fine=expand(rules.trace.output.out, cell=FLOW.fine.path, seed=FLOW.seed),
            coarse=expand(rules.trace.output.out, cell=FLOW.coarse.path, seed=FLOW.seed),
            evaluations=rules.tabulate.output.evaluations,
            drops=rules.tabulate.output.drops,
        output:
            pdf=f"{RESULTS}/figures/figure1_trajectories.pdf",
            png=IMAGE("figure1_trajectories.png"),
        log:
            f"{RESULTS}/logs/figures/figure1_trajectories.log",
        localrule: True
        params:
            figure="trajectories",
            spec=canonical(specs.flow_spec(STUDY)),
            code=code_hash("reporting.figures.trajectories"),

    use rule fan as regions with:
        input:
            expand(rules.trace.output.out, cell=FLOW.coarse.path, seed=FLOW.seed),
        output:
            pdf=f"{RESULTS}/figures/figure2_regions.pdf",
            png=IMAGE("figure2_regions.png"),
        log:
            f"{RESULTS}/logs/figures/figure2_regions.log",
        localrule: True
        params:
            figure="regions",
            spec=canonical(specs.flow_spec(STUDY)),
            code=code_hash("reporting.figures.regions"),

    use rule fan as animation with:
        input:
            fine=rules.trajectories.input.fine,
            coarse=rules.trajectories.input.coarse,
        output:
            gif=IMAGE("animation.gif"),
            mp4=f"{RESULTS}/figures/animation.mp4",
        log:
            f"{RESULTS}/logs/figures/animation.log",
        localrule: True
        params:
            figure="animation",
            spec=canonical(specs.flow_spec(STUDY)),
            code=code_hash("reporting.figures.animation"),


rule figures:
    input:
        expand(FIGURE, name=NAMES),
        rules.animation.output if FLOW else [],
