"""The files of a finished study, made by hand: what its page is written from."""

import math

import numpy as np
import pandas as pd
import runs
from defined import written_table
from PIL import Image

from solverproof.evaluation.audit_rows import Audit
from solverproof.evaluation.rows import Run
from solverproof.files import columns, read_json, write_arrays, write_json
from solverproof.reporting.audits import gather
from solverproof.reporting.specifications import PageSpec, TablesSpec
from solverproof.reporting.study_page.write import write
from solverproof.reporting.tables import tabulate

TABLES = TablesSpec(threshold=0.1, error_threshold=0.1, chance={"toy": 0.5})
ORIGIN = {
    "versions": {"python": "3.11", "torch": "2.13"},
    "machine": {"platform": "Linux", "processor": "a processor", "cores": 2},
    "commit": None,
    "device": "cpu",
}
DROPS = {seed: {2: 0.4, 8: 0.02} for seed in (0, 1)}


def evaluations(drops=DROPS, accuracy_of_flow=0.6):
    """Rows of Euler's models with given drops by seed and steps; None: the run failed."""
    rows = []
    for seed, of_seed in drops.items():
        for steps, drop in of_seed.items():
            own = runs.study({seed: {steps: drop}})
            rows += own if drop is None else runs.with_flow(own, accuracy_of_flow)
    return rows


def real_valued(rows):
    """The same rows with errors in place of accuracies."""
    return [
        row | {"accuracy": math.nan, "accuracy_paired": math.nan, "error": 1.2 - row["accuracy"]}
        for row in rows
    ]


def study(folder, rows, *, controller=None, explored=True, figures=()):
    """Write a study's files; what `page` takes, by name."""
    table = pd.DataFrame(rows).assign(controller=controller or math.nan)
    results = folder / "results"
    (results / "evaluations").mkdir(parents=True)
    table.to_csv(results / "evaluations" / "all.csv", index=False)
    tabulate(TABLES, [results / "evaluations" / "all.csv"], results / "tables")
    _audits(results, pd.read_csv(results / "tables" / "drops.csv"))
    gather(TABLES, [results / "audits.csv"], results / "tables" / "drops.csv", results / "tables")
    cells = table[["task", "train_solver", "train_steps"]].drop_duplicates()
    found = [_cell(results, table, controller, *cell) for cell in cells.itertuples(index=False)]
    return {
        "tabulated": sorted((results / "tables").glob("*.*")),
        "runs": found,
        "drawn": [_figure(results / "figures" / name) for name in figures],
        "explorations": [_explored(results, run) for run in found] if explored else [],
        "out": results / "report.html",
    }


def page(folder, rows, **options):
    """The page of such a study, as text."""
    files = study(folder, rows, **options)
    spec = PageSpec(TABLES, {"prepare": 1, "train": len(files["runs"]), "report": 1}, {})
    write(spec, *files.values())
    return files["out"].read_text(encoding="utf-8")


def _audits(results, drops):
    given = {"accepted": 0.01, "samples": 100, "status": "ok"}
    judged = {"verdict": "FAIL", "kind": "solver-bound", "disagreement": 0.4}
    rows = [
        {name: None if pd.isna(run[name]) else run[name] for name in columns(Run)}
        | given
        | (judged if run["status"] == "ok" else {"status": run["status"], "reason": "told"})
        for run in drops.to_dict("records")
    ]
    written_table(results / "audits.csv", Audit, rows)


def _cell(results, table, controller, task, solver, steps):
    own = table[(table["task"] == task) & (table["train_steps"] == steps)]
    seeds = sorted(map(int, own["seed"].unique()))
    label = controller or f"steps-{steps}"
    cell = results / "models" / task / solver / label / f"seeds-{seeds[0]}-{seeds[-1]}"
    spec = {"task": task, "seeds": seeds, "data": {"family": "toy"}, "protocol": {"batch": 8}}
    how = {"controller": {"family": "random"}, "name": controller}
    setting = {"solver": solver, "steps": int(steps)}
    spec |= how if controller else {"setting": setting}
    failed = own.loc[own["status"] == "diverged", "seed"].unique()
    run = {
        "spec": spec,
        "setting": setting,
        "failures": {str(seed): {"status": "diverged", "reason": "told"} for seed in failed},
        "iterations": 20,
        "mean_nfe": {str(seed): float(steps) for seed in seeds},
        "wall_seconds": 3.5,
        **ORIGIN,
    }
    write_json(cell / "run.json", run)
    history = [
        {"iteration": i, "seed": seed, "loss": 1 / i, "accuracy": 1 - 1 / i, "error": math.nan}
        for seed in seeds
        for i in (1, 10, 20)
    ]
    pd.DataFrame(history).to_csv(cell / "history.csv", index=False)
    return cell / "run.json"


def _figure(path):
    path.parent.mkdir(exist_ok=True)
    white, black = Image.new("L", (4, 3), 255), Image.new("L", (4, 3), 0)
    if path.suffix == ".gif":
        white.save(path, save_all=True, append_images=[black])
    else:
        white.save(path)
    return path


def _explored(results, run):
    """Trajectories of three points, one of which leaves for infinity under the coarser step."""
    steps, seeds = read_json(run)["setting"]["steps"], run.parts[-2]
    paths = np.random.default_rng(0).normal(size=(3, 3, 2)).astype(np.float32)
    far = paths.copy()
    far[2, 0] = math.inf
    arrays = {
        "seed": np.array([0]),
        "targets": np.array([0, 1, 1]),
        "box": np.array([-2.0, 2.0, -2.0, 2.0]),
        "regions": np.arange(4).reshape(2, 2) % 3 - 1,
        f"paths euler steps-{steps}": far,
        f"classes euler steps-{steps}": np.array([-1, 1, 0]),
        f"paths euler steps-{2 * steps}": paths,
        f"classes euler steps-{2 * steps}": np.array([0, 1, 1]),
    }
    file = results / "explorations" / run.parts[-5] / run.parts[-4] / run.parts[-3]
    write_arrays(file / f"{seeds}.safetensors", arrays)
    return file / f"{seeds}.safetensors"
