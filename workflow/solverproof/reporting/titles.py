"""What figures and tables are called, on the page of a study and in Snakemake's report."""

import re

FIGURES = {
    "figure1": "trajectories of a large and a small step",
    "figure2": "outputs on the regions of their classes",
    "figure3": "Lady Windermere's fan",
    "figure4": "accuracy under other test settings",
    "figure5": "what a controller chooses",
    "figure6": "four criteria of being an ODE",
    "figure7": "accuracy with its solver, and as an ODE",
    "figure8": "what a step costs, and what it is worth",
    "figure9": "the critical step and the growth of errors",
    "animation": "a coarse and a fine model while the test step shrinks",
}
TABLES = {
    "settings": "Every way to train, over its seeds",
    "critical_steps": "Critical steps and tolerances",
    "comparison": "Grid search against tolerances and controllers",
    "criteria": "Four criteria of being an ODE",
    "drops": "Every model: what it loses",
    "audits": "Every model: its audit",
    "evaluations": "Every model under every test setting",
}


def kind_of(name: str) -> str:
    """`figure4` of `figure4_accuracy_sphere2`; a name without a number is its own kind."""
    numbered = re.match(r"figure\d+(?=_)", name)
    return numbered[0] if numbered else name


def figure_title(name: str) -> tuple[str, str]:
    """`Figure 4: accuracy under other test settings`, and of what, `sphere2`; the latter may be "".

    Args:
        name: of the file without its suffix, such as `figure4_accuracy_sphere2`.
    """
    kind = kind_of(name)
    numbered = kind.capitalize().replace("Figure", "Figure ")
    return f"{numbered}: {FIGURES[kind]}", "".join(name.split("_", 2)[2:])
