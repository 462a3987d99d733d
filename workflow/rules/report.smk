PAGE = f"{RESULTS}/report.html"
DRAWN = [
    *[f"{RESULTS}/figures/{name}.png" for name in NAMES],
    *([rules.animation.output.gif] if FLOW else []),
]
RULES = {
    "prepare": len({cell.task.name for cell in STUDY.cells}),
    "train": len(CELLS) - len(CONTROLLED),
    "adapt": len(CONTROLLED),
    "evaluate": len(CELLS),
    "audit": len(CELLS),
    "trace": len({FLOW.fine.path, FLOW.coarse.path}) if FLOW else 0,
    "explore": len(EXPLORED),
    "tabulate": 1,
    "gather": 1,
    "compare": int(bool(CONTROLLED)),
    "figures": len(DRAWN),
    "report": 1,
}
SHOWN = [path for path in rules.tables.input if path.endswith((".csv", ".md"))]


rule report:
    input:
        tabulated=SHOWN,
        runs=expand(rules.train.output.run, cell=CELLS),
        histories=expand(rules.train.output.history, cell=CELLS),
        figures=DRAWN,
        explorations=expand(rules.explore.output.out, cell=EXPLORED),
    output:
        PAGE,
    log:
        f"{RESULTS}/logs/report.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        spec=canonical(
            specs.page_spec(
                STUDY,
                RULES,
                captions(
                    Path(PACKAGE, "report"),
                    [Path(path).stem for path in (*DRAWN, *SHOWN)],
                ),
            )
        ),
        code=specs.page_code(),
    shell:
        r"printf '%s\n' --spec={params.spec:q} --tabulated {input.tabulated:q} --runs {input.runs:q}"
        " --figures {input.figures:q} --explorations {input.explorations:q}"
        " | python -m solverproof report --out={output:q} - > {log:q} 2>&1"
