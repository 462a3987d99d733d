CONTROLLED = [path for path, cell in CELLS.items() if cell.controller]
TABLES = [
    f"{RESULTS}/tables/{name}"
    for name in (
        "evaluations.csv",
        "drops.csv",
        "settings.csv",
        "settings.md",
        "critical_steps.csv",
        "critical_steps.md",
    )
]


rule tabulate:
    input:
        expand(rules.evaluate.output.out, cell=CELLS),
    output:
        evaluations=report(
            TABLES[0], caption="../report/evaluations.rst", category="Tables"
        ),
        drops=report(TABLES[1], caption="../report/drops.rst", category="Tables"),
        settings=report(TABLES[2], caption="../report/settings.rst", category="Tables"),
        settings_readable=TABLES[3],
        critical=report(
            TABLES[4], caption="../report/critical_steps.rst", category="Tables"
        ),
        readable=TABLES[5],
    log:
        f"{RESULTS}/logs/tabulate.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        spec=canonical(specs.tables_spec(STUDY)),
        code=code_hash("reporting.tables"),
        out=subpath(output.evaluations, parent=True),
    shell:
        r"printf '%s\n' --evaluations {input:q}"
        " | python -m solverproof tabulate --spec={params.spec:q} --out={params.out:q} - > {log:q} 2>&1"


rule gather:
    input:
        audits=expand(rules.audit.output.out, cell=CELLS),
        drops=rules.tabulate.output.drops,
    output:
        audits=report(
            f"{RESULTS}/tables/audits.csv",
            caption="../report/audits.rst",
            category="Tables",
        ),
        criteria=report(
            f"{RESULTS}/tables/criteria.csv",
            caption="../report/criteria.rst",
            category="Tables",
        ),
        readable=f"{RESULTS}/tables/criteria.md",
    log:
        f"{RESULTS}/logs/gather.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        spec=canonical(specs.tables_spec(STUDY)),
        code=code_hash("reporting.audits"),
        out=subpath(output.audits, parent=True),
    shell:
        r"printf '%s\n' --audits {input.audits:q}"
        " | python -m solverproof gather --spec={params.spec:q} --drops={input.drops:q} --out={params.out:q} - > {log:q} 2>&1"


if CONTROLLED:

    rule compare:
        input:
            drops=rules.tabulate.output.drops,
            critical=rules.tabulate.output.critical,
            runs=expand(rules.adapt.output.run, cell=CONTROLLED),
            checks=expand(rules.adapt.output.checks, cell=CONTROLLED),
        output:
            csv=report(
                f"{RESULTS}/tables/comparison.csv",
                caption="../report/comparison.rst",
                category="Tables",
            ),
            md=f"{RESULTS}/tables/comparison.md",
            tex=f"{RESULTS}/tables/comparison.tex",
        log:
            f"{RESULTS}/logs/compare.log",
        localrule: True
        conda:
            ENVIRONMENT
        params:
            spec=canonical(specs.tables_spec(STUDY)),
            code=code_hash("reporting.comparison"),
            out=subpath(output.csv, parent=True),
        shell:
            r"printf '%s\n' --runs {input.runs:q} --checks {input.checks:q}"
            " | python -m solverproof comparison --spec={params.spec:q} --drops={input.drops:q} --critical={input.critical:q}"
            " --out={params.out:q} - > {log:q} 2>&1"


rule tables:
    input:
        TABLES,
        rules.gather.output,
        rules.compare.output if CONTROLLED else [],
