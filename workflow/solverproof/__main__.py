"""The command line: one verb per stage, each from files to files."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from solverproof.errors import InputError


def prepare(args: argparse.Namespace) -> None:
    """Make a task's data set."""
    from solverproof.datasets import make
    from solverproof.files import write_arrays

    write_arrays(args.out, make(args.spec))


def train(args: argparse.Namespace) -> None:
    """Train one cell: a block of seeds of one setting."""
    from solverproof.files import read_arrays, write_arrays, write_json, write_table
    from solverproof.provenance import provenance
    from solverproof.training import train as train_block

    _one_thread()
    started = time.perf_counter()
    training = train_block(args.spec, read_arrays(args.data))
    write_arrays(args.weights, {name: p.numpy() for name, p in training.parameters.items()})
    write_table(args.history, training.history)
    failures = {str(seed): reason for seed, reason in training.failures.items()}
    run = {"spec": args.spec, "failures": failures, "wall_seconds": time.perf_counter() - started}
    write_json(args.run, {**run, **provenance()})


def evaluate(args: argparse.Namespace) -> None:
    """Evaluate one trained cell under all its test settings."""
    from solverproof.evaluation import evaluate as evaluate_block
    from solverproof.files import read_arrays, read_json, write_table

    _one_thread()
    failures = read_json(args.run)["failures"]
    write_table(args.out, evaluate_block(args.spec, read_arrays(args.data), _tensors(args.weights), failures))


def trace(args: argparse.Namespace) -> None:
    """Compute trajectories and decision regions of one model, for the figures of the flow."""
    from solverproof.files import read_arrays, write_arrays
    from solverproof.tracing import trace as trace_flow

    _one_thread()
    write_arrays(args.out, trace_flow(args.spec, read_arrays(args.data), _tensors(args.weights)))


def tabulate(args: argparse.Namespace) -> None:
    """Gather all evaluations into the tables of the study."""
    from solverproof.tables import tabulate as write_tables

    write_tables(args.spec, args.evaluations, args.out)


def plot(args: argparse.Namespace) -> None:
    """Draw one figure, as PDF and PNG."""
    from solverproof.figures import draw

    draw(args.figure, args.spec, args.inputs, args.out)


def bench(args: argparse.Namespace) -> None:
    """Measure the speed of training against its floor and against plain torchdiffeq."""
    from solverproof.benchmark import report

    _one_thread()
    print(report(repeats=args.repeats))


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
    verb(train, "data", "weights", "history", "run")
    verb(evaluate, "data", "weights", "run", "out")
    verb(trace, "data", "weights", "out")
    verb(tabulate, "out").add_argument("--evaluations", type=Path, nargs="+", required=True)
    figure = verb(plot)
    figure.add_argument("figure", help="name of the figure")
    figure.add_argument("--inputs", type=Path, nargs="*", default=[])
    figure.add_argument("--out", type=Path, nargs="+", required=True)
    verb(bench, spec=False).add_argument("--repeats", type=int, default=15)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; 0 on success, 2 with one line on standard error when the input is wrong."""
    args = _parser().parse_args(arguments)
    try:
        args.run_verb(args)
    except InputError as error:
        print(f"solverproof: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
