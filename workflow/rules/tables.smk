CONTROLLED = [path for path, cell in CELLS.items() if cell.controller]
# blocks whose setting does not say what an iteration takes: of tolerances, and with penalties
BLOCKS = [
    path
    for path, cell in CELLS.items()
    if cell.setting
    if cell.setting.tolerance
    or cell.task.protocol.consistency
    or cell.task.protocol.local_error
]
# a file of Snakemake's report, which shows pages in place and hands out all else
TABLE = lambda file: report(
    f"{RESULTS}/tables/{file}",
    caption=f"../report/{Path(file).stem}.rst",
    category="Tables",
    labels={
        "table": titles.TABLES[Path(file).stem],
        "as": "page" if file.endswith(".html") else "CSV",
    },
)


rule tabulate:
    input:
        expand(rules.evaluate.output.out, cell=CELLS),
    output:
        evaluations=TABLE("evaluations.csv"),
        drops=TABLE("drops.csv"),
        settings=TABLE("settings.csv"),
        settings_page=TABLE("settings.html"),
        settings_readable=f"{RESULTS}/tables/settings.md",
        critical=TABLE("critical_steps.csv"),
        critical_page=TABLE("critical_steps.html"),
        critical_readable=f"{RESULTS}/tables/critical_steps.md",
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
        audits=TABLE("audits.csv"),
        criteria=TABLE("criteria.csv"),
        page=TABLE("criteria.html"),
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
            blocks=expand(rules.train.output.run, cell=BLOCKS),
        output:
            csv=TABLE("comparison.csv"),
            page=TABLE("comparison.html"),
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
            r"printf '%s\n' --runs {input.runs:q} --checks {input.checks:q} --blocks {input.blocks:q}"
            " | python -m solverproof comparison --spec={params.spec:q} --drops={input.drops:q} --critical={input.critical:q}"
            " --out={params.out:q} - > {log:q} 2>&1"


rule tables:
    input:
        rules.tabulate.output,
        rules.gather.output,
        rules.compare.output if CONTROLLED else [],
