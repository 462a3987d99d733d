TABLES = [
    f"{RESULTS}/tables/{name}"
    for name in (
        "evaluations.csv",
        "drops.csv",
        "critical_steps.csv",
        "critical_steps.md",
    )
]


rule tabulate:
    input:
        expand(rules.evaluate.output[0], cell=CELLS),
    output:
        evaluations=report(
            TABLES[0], caption="../report/evaluations.rst", category="Tables"
        ),
        drops=report(TABLES[1], caption="../report/drops.rst", category="Tables"),
        critical=report(
            TABLES[2], caption="../report/critical_steps.rst", category="Tables"
        ),
        readable=TABLES[3],
    log:
        f"{RESULTS}/logs/tabulate.log",
    localrule: True
    conda:
        "../../envs/solverproof.yaml"
    params:
        spec=study.canonical(config["validity"]),
        code=code_hash("tables"),
        out=subpath(output.evaluations, parent=True),
    shell:
        "python -m solverproof tabulate --spec {params.spec:q} --evaluations {input:q} --out {params.out:q} > {log:q} 2>&1"


rule tables:
    input:
        TABLES,
