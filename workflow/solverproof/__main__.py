"""The command line: one verb per stage, each from files to files."""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solverproof.errors import InputError
from solverproof.ode.solvers import define

if TYPE_CHECKING:
    from solverproof.ode.solvers import Setting
    from solverproof.training.checkpoints import Checkpoint
    from solverproof.training.loop import Training
    from solverproof.training.stateful import Stateful


def prepare(args: argparse.Namespace) -> None:
    """Make a task's data set."""
    from solverproof.datasets.families import make
    from solverproof.files import write_arrays

    write_arrays(args.out, make(args.spec))


def train(args: argparse.Namespace) -> None:
    """Train one cell: a block of seeds of one setting."""
    from solverproof.files import read_arrays
    from solverproof.ode.solvers import setting
    from solverproof.training.loop import train as train_block
    from solverproof.training.progress import Progress

    _one_thread()
    fixed, checkpoint = setting(args.spec), _checkpoint(args, "training.loop")
    progress = Progress(args.spec["protocol"]["iterations"])
    training = train_block(
        args.spec, read_arrays(args.data), lambda _: fixed, checkpoint=checkpoint, progress=progress.report
    )
    _write_training(args, training, fixed)
    checkpoint.remove()


def adapt(args: argparse.Namespace) -> None:
    """Train one seed with a controller that chooses the step size or tolerance as it goes."""
    from solverproof.files import read_arrays, write_table
    from solverproof.training.controllers.base import CHECK_COLUMNS
    from solverproof.training.controllers.families import controller
    from solverproof.training.controllers.probing import PROBE_COLUMNS, Probed
    from solverproof.training.loop import train as train_block
    from solverproof.training.progress import Progress

    _one_thread()
    data, chosen = read_arrays(args.data), controller(args.spec)
    schedule = Probed(chosen, args.spec, data)
    checkpoint = _checkpoint(args, "training.controllers.families", schedule=schedule)
    progress = Progress(args.spec["protocol"]["iterations"])
    training = train_block(args.spec, data, schedule, checkpoint=checkpoint, progress=progress.report)
    write_table(args.checks, chosen.checks, CHECK_COLUMNS)
    write_table(args.probes, schedule.rows, PROBE_COLUMNS)
    _write_training(args, training, chosen.deployed)
    checkpoint.remove()


def _checkpoint(args: argparse.Namespace, module: str, **also: "Stateful") -> "Checkpoint":
    """The checkpoint of what its specification, its data, the code of a module and PyTorch define."""
    from solverproof.files import sha256_of
    from solverproof.study.cells import canonical
    from solverproof.study.fingerprint import code_hash
    from solverproof.study.provenance import versions
    from solverproof.training.checkpoints import Checkpoint

    run = (canonical(args.spec), sha256_of(args.data), code_hash(module), versions()["torch"])
    return Checkpoint(args.checkpoint, hashlib.sha256("\n".join(run).encode()).hexdigest(), also)


def _write_training(args: argparse.Namespace, training: "Training", deployed: "Setting") -> None:
    from solverproof.files import write_arrays, write_json, write_table
    from solverproof.study.provenance import provenance
    from solverproof.training.loop import HISTORY_COLUMNS

    write_arrays(args.weights, {name: p.cpu().numpy() for name, p in training.parameters.items()})
    write_table(args.history, training.history, HISTORY_COLUMNS)
    run = {
        "spec": args.spec,
        "setting": deployed.spec,
        "failures": {str(seed): asdict(failure) for seed, failure in training.failures.items()},
        "mean_nfe": {str(seed): nfe for seed, nfe in training.mean_nfe.items()},
        "wall_seconds": training.seconds,
        "device": training.device,
    }
    write_json(args.run, {**run, **provenance()})


def evaluate(args: argparse.Namespace) -> None:
    """Evaluate one trained cell under all its test settings."""
    from solverproof.evaluation.cross_solver import COLUMNS
    from solverproof.evaluation.cross_solver import evaluate as evaluate_block
    from solverproof.files import read_arrays, read_json, write_table

    _one_thread()
    rows = evaluate_block(args.spec, read_arrays(args.data), _tensors(args.weights), read_json(args.run))
    write_table(args.out, rows, COLUMNS)


def trace(args: argparse.Namespace) -> None:
    """Compute trajectories and decision regions of one model, for the figures of the flow."""
    from solverproof.evaluation.tracing import trace as trace_flow
    from solverproof.files import read_arrays, write_arrays

    _one_thread()
    write_arrays(args.out, trace_flow(args.spec, read_arrays(args.data), _tensors(args.weights)))


def tabulate(args: argparse.Namespace) -> None:
    """Gather all evaluations into the tables of the study."""
    from solverproof.reporting.tables import tabulate as write_tables

    write_tables(args.spec, args.evaluations, args.out)


def compare(args: argparse.Namespace) -> None:
    """Compare grid search with training that chooses its step as it goes."""
    from solverproof.reporting.comparison import compare as write_comparison

    write_comparison(args.drops, args.critical, args.runs, args.checks, args.out)


def plot(args: argparse.Namespace) -> None:
    """Draw one figure, as PDF and PNG."""
    from solverproof.reporting.figures.drawing import draw

    draw(args.figure, args.spec, args.inputs, args.out)


def check(args: argparse.Namespace) -> None:
    """Check configuration files, merged in order, and tell what they imply."""
    from collections import Counter

    from solverproof.study.cells import cells
    from solverproof.study.config import load, read
    from solverproof.study.resources import sizing

    config = load(read(args.files), args.files)
    found = cells(config)
    counts = Counter((cell.task, cell.solver.name, "trained" if cell.setting else "controlled") for cell in found)
    for (task, solver, how), count in counts.items():
        print(f"{task} with {solver}: {count} {how}")
    print(f"{len(found)} cells, each a training and an evaluation")
    print(sizing(config, found))


def solvers(_: argparse.Namespace) -> None:
    """Print the solvers one can train with: order, stages, kind, source."""
    from solverproof.ode.solvers import table

    print(table())


def keys(_: argparse.Namespace) -> None:
    """Print every key of the configuration as a Markdown table."""
    from solverproof.study.config_reference import reference

    print(reference(), end="")


def bench(args: argparse.Namespace) -> None:
    """Measure the speed of training against its floor and against plain torchdiffeq."""
    from solverproof.benchmarks.speed import report

    _one_thread()
    print(report(repeats=args.repeats))


def memory(args: argparse.Namespace) -> None:
    """Measure the peak memory of training against the number of steps."""
    from solverproof.benchmarks.memory import measure

    measure(args.out)


def scaling(args: argparse.Namespace) -> None:
    """Simulate from the recorded times of its jobs how a study scales with cores."""
    from solverproof.study.scaling import report

    print(report(args.results))


def _one_thread() -> None:
    """One thread per job, many jobs: so results do not depend on the number of cores."""
    import torch

    torch.set_num_threads(1)


def _tensors(path: Path) -> dict[str, Any]:
    import torch

    from solverproof.files import read_arrays

    return {name: torch.from_numpy(array) for name, array in read_arrays(path).items()}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m solverproof", description="Is your Neural ODE solver-proof?")
    verbs = parser.add_subparsers(dest="verb", required=True)

    def verb(run: Callable[[argparse.Namespace], None], *paths: str, spec: bool = True) -> argparse.ArgumentParser:
        sub = verbs.add_parser(run.__name__, help=run.__doc__)
        sub.set_defaults(run_verb=run)
        if spec:
            sub.add_argument("--spec", type=json.loads, required=True, help="JSON: what defines the result")
        for path in paths:
            sub.add_argument(f"--{path}", type=Path, required=True)
        return sub

    verb(prepare, "out")
    verb(train, "data", "checkpoint", "weights", "history", "run")
    verb(adapt, "data", "checkpoint", "weights", "history", "run", "checks", "probes")
    verb(evaluate, "data", "weights", "run", "out")
    verb(trace, "data", "weights", "out")
    verb(tabulate, "out").add_argument("--evaluations", type=Path, nargs="+", required=True)
    comparison = verb(compare, "drops", "critical", "out")
    comparison.add_argument("--runs", type=Path, nargs="+", required=True)
    comparison.add_argument("--checks", type=Path, nargs="+", required=True)
    figure = verb(plot)
    figure.add_argument("figure", help="name of the figure")
    figure.add_argument("--inputs", type=Path, nargs="*", default=[])
    figure.add_argument("--out", type=Path, nargs="+", required=True)
    verb(check, spec=False).add_argument("files", type=Path, nargs="+", help="YAML files, later ones over earlier ones")
    verb(solvers, spec=False)
    verb(keys, spec=False)
    verb(memory, "out", spec=False)
    verb(bench, spec=False).add_argument("--repeats", type=int, default=15)
    verb(scaling, spec=False).add_argument("results", type=Path, help="the folder of results of a study that ran")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; 0 on success, 2 with one line on standard error when the user has something to mend."""
    args = _parser().parse_args(arguments)
    define(getattr(args, "spec", {}).get("tableaux", {}))
    try:
        args.run_verb(args)
    except InputError as error:
        message = str(error)
    except OSError as error:  # a file that is missing, a disk that takes no more log
        message = f"{error.filename or args.verb}: {error.strerror or error}"
    else:
        return 0
    print(f"solverproof: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
