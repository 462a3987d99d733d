"""The command line: one verb per stage, each from files to files."""

import argparse
import hashlib
import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from solverproof import __version__
from solverproof.errors import InputError, shown
from solverproof.user_code import UserCodeError, own_part

TABULATED = (
    "evaluations.csv", "drops.csv", "settings.csv", "settings.html", "settings.md",
    "critical_steps.csv", "critical_steps.html", "critical_steps.md",
)  # fmt: skip
GATHERED = ("audits.csv", "criteria.csv", "criteria.html", "criteria.md")
COMPARED = ("comparison.csv", "comparison.html", "comparison.md", "comparison.tex")

if TYPE_CHECKING:
    from solverproof.ode.solvers import Setting
    from solverproof.specifications import Specification
    from solverproof.training.checkpoints import Checkpoint
    from solverproof.training.loop import Trained
    from solverproof.training.specifications import Training
    from solverproof.training.stateful import Stateful


def prepare(args: argparse.Namespace) -> None:
    """Make a task's data set."""
    from solverproof.datasets.base import DataSet
    from solverproof.datasets.published import obtain_images
    from solverproof.files import write_arrays

    write_arrays(args.out, DataSet.given(args.spec).make(obtain_images))


def train(args: argparse.Namespace) -> None:
    """Train one cell: a block of seeds of one setting."""
    from solverproof.files import read_arrays
    from solverproof.study.specifications import TRAIN
    from solverproof.training.loop import train as train_block
    from solverproof.training.progress import Progress
    from solverproof.training.specifications import SettingTraining

    _set_up_torch()
    spec = SettingTraining.given(args.spec)
    checkpoint = _checkpoint(args, spec, TRAIN)
    trained = train_block(
        spec,
        read_arrays(args.data),
        lambda _: spec.setting,
        checkpoint=checkpoint,
        report=Progress(spec.protocol.iterations).report,
    )
    _write_training(args, spec, trained, spec.setting)
    checkpoint.remove()


def adapt(args: argparse.Namespace) -> None:
    """Train one seed with a controller that chooses the step size or tolerance during training."""
    from solverproof.files import read_arrays, write_table
    from solverproof.study.specifications import ADAPT
    from solverproof.training.batches import run_seed
    from solverproof.training.controllers.base import Check
    from solverproof.training.controllers.probing import Probe, Probed
    from solverproof.training.holding_out import parted
    from solverproof.training.loop import train as train_block
    from solverproof.training.progress import Progress
    from solverproof.training.specifications import ControlledTraining

    _set_up_torch()
    spec, data = ControlledTraining.given(args.spec), read_arrays(args.data)
    (seed,) = spec.seeds
    stream = run_seed(spec.task, seed, "controller")
    schedule = spec.controller.schedule(spec.solver, seed=seed, stream=stream)
    probed = Probed(schedule, spec, data)
    checkpoint = _checkpoint(args, spec, ADAPT, schedule=probed)
    rest, held_out = parted(spec, data)
    trained = train_block(
        spec,
        rest,
        probed,
        more=spec.controller.more(schedule, held_out),
        checkpoint=checkpoint,
        report=Progress(spec.protocol.iterations).report,
    )
    write_table(args.checks, Check, schedule.checks)
    write_table(args.probes, Probe, probed.rows)
    _write_training(args, spec, trained, schedule.deployed)
    checkpoint.remove()


def _checkpoint(
    args: argparse.Namespace, spec: "Specification", modules: Sequence[str], **also: "Stateful"
) -> "Checkpoint":
    """The checkpoint of a run, which its specification, data, code and PyTorch version define."""
    from solverproof.files import sha256_of
    from solverproof.specifications import canonical
    from solverproof.study.provenance import versions
    from solverproof.study.specifications import code_of
    from solverproof.training.checkpoints import Checkpoint

    run = (canonical(spec), sha256_of(args.data), code_of(spec, *modules), versions()["torch"])
    return Checkpoint(args.checkpoint, hashlib.sha256("\n".join(run).encode()).hexdigest(), also)


def _write_training(
    args: argparse.Namespace, spec: "Training", trained: "Trained", deployed: "Setting"
) -> None:
    from solverproof.files import write_arrays, write_json, write_table
    from solverproof.study.provenance import provenance
    from solverproof.training.loop import HistoryRow

    write_arrays(args.weights, {name: p.cpu().numpy() for name, p in trained.parameters.items()})
    write_table(args.history, HistoryRow, trained.history)
    run = {
        "spec": spec.to_json(),
        "setting": deployed.to_json(),
        "failures": {str(seed): asdict(failure) for seed, failure in trained.failures.items()},
        "iterations": trained.iterations,
        "mean_nfe": {str(seed): nfe for seed, nfe in trained.mean_nfe.items()},
        "wall_seconds": trained.seconds,
        "device": trained.device,
    }
    write_json(args.run, {**run, **provenance()})


def evaluate(args: argparse.Namespace) -> None:
    """Evaluate one trained cell under all its test settings."""
    from solverproof.evaluation.cross_solver import evaluate as evaluate_block
    from solverproof.evaluation.references import to_arrays
    from solverproof.evaluation.rows import Evaluation
    from solverproof.evaluation.specifications import EvaluationSpec
    from solverproof.files import read_arrays, read_json, write_arrays, write_table

    _set_up_torch()
    spec = EvaluationSpec.given(args.spec)
    data, weights, run = read_arrays(args.data), _tensors(args.weights), read_json(args.run)
    found = evaluate_block(spec, data, weights, run)
    write_arrays(args.references, to_arrays(found.flows))
    write_table(args.out, Evaluation, found.rows)


def examine(args: argparse.Namespace) -> None:
    """Audit the models of one trained cell, each with its own setting."""
    from solverproof.evaluation.audit_rows import Audit
    from solverproof.evaluation.audits import examine as examine_block
    from solverproof.evaluation.references import from_arrays
    from solverproof.evaluation.specifications import AuditSpec
    from solverproof.files import read_arrays, read_json, write_table

    _set_up_torch()
    spec, flows = AuditSpec.given(args.spec), from_arrays(read_arrays(args.references))
    data, weights, run = read_arrays(args.data), _tensors(args.weights), read_json(args.run)
    write_table(args.out, Audit, examine_block(spec, data, weights, run, flows))


def trace(args: argparse.Namespace) -> None:
    """Compute trajectories and decision regions of one model, for the figures of the flow."""
    from solverproof.evaluation.specifications import TraceSpec
    from solverproof.evaluation.tracing import trace as trace_flow
    from solverproof.files import read_arrays, write_arrays

    _set_up_torch()
    spec = TraceSpec.given(args.spec)
    write_arrays(args.out, trace_flow(spec, read_arrays(args.data), _tensors(args.weights)))


def explore(args: argparse.Namespace) -> None:
    """Compute trajectories of one cell under its test settings, for the explorer of the page."""
    from solverproof.evaluation.exploring import explore as explore_block
    from solverproof.evaluation.specifications import EvaluationSpec
    from solverproof.files import read_arrays, read_json, write_arrays

    _set_up_torch()
    spec = EvaluationSpec.given(args.spec)
    data, weights, run = read_arrays(args.data), _tensors(args.weights), read_json(args.run)
    write_arrays(args.out, explore_block(spec, data, weights, run))


def tabulate(args: argparse.Namespace) -> None:
    """Gather all evaluations into the tables of the study."""
    from solverproof.reporting.specifications import TablesSpec
    from solverproof.reporting.tables import tabulate as write_tables

    write_tables(TablesSpec.given(args.spec), args.evaluations, args.out)


def gather(args: argparse.Namespace) -> None:
    """Gather all audits into a table, and critical settings by several criteria."""
    from solverproof.reporting.audits import gather as write_audits
    from solverproof.reporting.specifications import TablesSpec

    write_audits(TablesSpec.given(args.spec), args.audits, args.drops, args.out)


def comparison(args: argparse.Namespace) -> None:
    """Compare grid search, tolerances, and controllers that choose the step size in training."""
    from solverproof.reporting.comparison import compare as write_comparison
    from solverproof.reporting.specifications import TablesSpec

    spec = TablesSpec.given(args.spec)
    write_comparison(spec, args.drops, args.critical, args.runs, args.checks, args.blocks, args.out)


def plot(args: argparse.Namespace) -> None:
    """Draw one figure, as PDF and PNG."""
    from solverproof.reporting.figures.drawing import draw

    draw(args.figure, args.spec, args.inputs, args.out)


def report(args: argparse.Namespace) -> None:
    """Write the page of a study: one HTML file with all that it found."""
    from solverproof.checksums import verify
    from solverproof.reporting.specifications import PageSpec
    from solverproof.reporting.study_page.write import write

    verify(run.with_name("history.csv") for run in args.runs)
    spec = PageSpec.given(args.spec)
    write(spec, args.tabulated, args.runs, args.figures, args.explorations, args.out)


def check(args: argparse.Namespace) -> None:
    """Check configuration files, merged in order, and print what they imply."""
    from collections import Counter

    from solverproof.study.cells import Study
    from solverproof.study.config import load, read, without_effect
    from solverproof.study.resources import sizing

    config = load(read(args.files), args.files)
    cells = Study(config).cells
    counts = Counter(
        (cell.task.name, cell.solver.name, "trained" if cell.setting else "controlled")
        for cell in cells
    )
    for (task, solver, how), count in counts.items():
        print(f"{task} with {solver}: {count} {how}")
    for line in without_effect(config):
        print(line)
    print(f"{len(cells)} cells, each a training and an evaluation")
    print(sizing(cells))


def solvers(args: argparse.Namespace) -> None:
    """Print the solvers one can train with: order, stages, kind, source."""
    from solverproof.ode.solvers import known_solvers, table
    from solverproof.study.config import solver_definitions

    print(table(known_solvers(solver_definitions(args.files))))


def keys(_: argparse.Namespace) -> None:
    """Print every key of the configuration as a Markdown table."""
    from solverproof.study.config_reference import reference

    print(reference(), end="")


def bench(args: argparse.Namespace) -> None:
    """Measure the speed of training against its floor and against plain torchdiffeq."""
    from solverproof.benchmarks.speed import report

    _set_up_torch()
    print(report(repeats=args.repeats))


def memory(args: argparse.Namespace) -> None:
    """Measure the peak memory of training against the number of steps."""
    from solverproof.benchmarks.memory import measure

    measure(args.out)


def scaling(args: argparse.Namespace) -> None:
    """Simulate from the recorded times of its jobs how a study scales with cores."""
    from solverproof.study.scaling import report

    print(report(args.results))


def audit(args: argparse.Namespace) -> int:
    """Audit a trained model: 0 if its deployed setting is faithful, 1 if not, 3 if undecided."""
    from solverproof.api import audit as run_audit
    from solverproof.auditing.loading import load
    from solverproof.reporting.html.terminal import text
    from solverproof.user_code import found

    model = load(
        args.build,
        args.data,
        weights=args.weights,
        head=args.head,
        labels=args.labels,
        device=args.device,
    )
    result = run_audit(
        model.field,
        model.z0,
        solver=args.solver,
        steps=args.steps,
        tolerance=args.tolerance,
        atol=args.atol,
        interval=tuple(args.interval),
        head=model.head,
        labels=model.labels,
        accept=args.accept,
        candidates=[] if args.no_candidates else None,
        trained=_trained(args.trained),
        compare=found(args.compare) if args.compare else None,
        confidence=args.confidence,
        batch_size=args.batch_size,
    )
    if args.out:
        result.save(args.out)
    print(text(result, args.out))
    return {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 3}[result.verdict]


def compare(args: argparse.Namespace) -> int:
    """Compare two audits, old and new: 1 if anything got worse, told line by line."""
    from solverproof.reporting.audit_comparison import compare as worse
    from solverproof.reporting.html.record import read_audit

    sentences = worse(read_audit(args.old), read_audit(args.new))
    print("\n".join(sentences or ["Nothing got worse."]))
    return int(bool(sentences))


def darken(args: argparse.Namespace) -> None:
    """Write a figure, a PNG or the film, as it is on dark pages."""
    from solverproof.reporting.figures.dark import darken as write_dark

    write_dark(args.figure, args.out)


def verify(args: argparse.Namespace) -> int:
    """Compare studies that ran with published tables: 1 if more than chance lies between them."""
    from solverproof.reporting.verification import published_studies
    from solverproof.reporting.verification import verify as compare_tables

    agrees = True
    for name, now, published in published_studies(args.results, args.published):
        if not now.is_dir():
            print(f"{name}: not run here")
            continue
        found = compare_tables(now, published)
        print("\n".join(f"{name}: {line}" for line in found.lines))
        agrees = agrees and found.agrees
    return int(not agrees)


def _set_up_torch() -> None:
    """Set one thread per job, so that results do not depend on the number of cores."""
    import torch

    from solverproof.models.devices import use_full_precision

    torch.set_num_threads(1)
    use_full_precision()


def _tensors(path: Path) -> dict[str, Any]:
    import torch

    from solverproof.files import read_arrays

    return {name: torch.from_numpy(array) for name, array in read_arrays(path).items()}


class _Parser(argparse.ArgumentParser):
    """A parser of arguments whose errors are told as all others are."""

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments."""
        raise InputError(f"{message}; see {self.prog} --help")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"{shown(text)} is no JSON") from error


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=prog,
        description="Is your Neural ODE solver-proof?",
        epilog="A last word - stands for more words, one a line on standard input.",
    )
    parser.add_argument("--version", action="version", version=f"solverproof {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True)

    def verb(run: Callable[[argparse.Namespace], int | None]) -> argparse.ArgumentParser:
        # Verbs are functions, so their names and docstrings are the command line and its help.
        sub = verbs.add_parser(run.__name__, help=run.__doc__)
        sub.set_defaults(run_verb=run, reads=(), writes=(), tables=())
        return sub

    def stage(
        run: Callable[[argparse.Namespace], None],
        *,
        reads: Sequence[str] = (),
        writes: Sequence[str] = (),
        tables: Sequence[str] = (),
    ) -> argparse.ArgumentParser:
        """A verb from files to files, or to tables in a folder.

        `...` stands for several files, in brackets for any number, none included.
        """
        sub = verb(run)
        sub.add_argument("--spec", type=_json, required=True, help="JSON: what defines the result")
        for words in (*reads, *writes, *(["out"] if tables else [])):
            flag, many = f"--{_plain(words)}", "+" if words.endswith("...") else None
            if words.startswith("["):
                sub.add_argument(flag, type=Path, nargs="*", default=[])
            else:
                sub.add_argument(flag, type=Path, required=True, nargs=many)
        sub.set_defaults(reads=[*map(_plain, reads)], writes=writes, tables=tables)
        return sub

    stage(prepare, writes=["out"])
    trained = ["weights", "history", "run"]
    for training in (
        stage(train, reads=["data"], writes=trained),
        stage(adapt, reads=["data"], writes=[*trained, "checks", "probes"]),
    ):
        training.add_argument("--checkpoint", type=Path, required=True)
    stage(evaluate, reads=["data", "weights", "run"], writes=["out", "references"])
    stage(examine, reads=["data", "weights", "run", "references"], writes=["out"])
    stage(trace, reads=["data", "weights"], writes=["out"])
    stage(explore, reads=["data", "weights", "run"], writes=["out"])
    stage(tabulate, reads=["evaluations..."], tables=TABULATED)
    stage(gather, reads=["drops", "audits..."], tables=GATHERED)
    compared = ["drops", "critical", "runs...", "checks...", "[blocks...]"]
    stage(comparison, reads=compared, tables=COMPARED)
    figure = stage(plot, reads=["[inputs...]"])
    figure.add_argument("figure", help="name of the figure")
    figure.add_argument("--out", type=Path, nargs="+", required=True)
    on_dark = verb(darken)
    on_dark.add_argument("figure", type=Path, help="a PNG or GIF")
    on_dark.add_argument("out", type=Path, help="where to write it, in the same format")
    page = stage(report, reads=["tabulated...", "runs...", "[explorations...]"])
    page.add_argument("--figures", type=Path, nargs="*", default=[])
    page.add_argument("--out", type=Path, required=True)
    verb(check).add_argument(
        "files", type=Path, nargs="+", help="YAML files, later ones over earlier ones"
    )
    verb(solvers).add_argument(
        "files", type=Path, nargs="*", help="YAML files that define further ones"
    )
    verb(keys)
    verb(memory).add_argument("--out", type=Path, required=True)
    verb(bench).add_argument("--repeats", type=int, default=15)
    verb(scaling).add_argument(
        "results", type=Path, help="the folder of results of a study that ran"
    )
    of_study = verb(verify)
    of_study.add_argument("results", type=Path, help="the folder of results of studies that ran")
    of_study.add_argument("published", type=Path, help="a folder of published tables per study")
    _add_audit(verb(audit))
    of_audits = verb(compare)
    of_audits.add_argument("old", type=Path, help="audit.json of before")
    of_audits.add_argument("new", type=Path, help="audit.json of now")
    return parser


def _plain(words: str) -> str:
    return words.strip("[]").removesuffix("...")


def _add_audit(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("build", help="module:function that returns the field, or an object with field, ...")
    add("--weights", type=Path, help="safetensors, or a state_dict")
    add("--data", type=Path, required=True, help=".npz with the inputs x")
    add("--solver", required=True, help="the deployed solver, by its name in torchdiffeq")
    add("--steps", type=_number, help="its number of steps")
    add("--tolerance", type=_number, help="its tolerance, relative and absolute")
    add("--atol", type=_number, help="its absolute tolerance, where that is another")
    add("--interval", type=float, nargs=2, default=(0.0, 1.0), metavar=("FIRST", "LAST"))
    add("--head", help="module:function from end states to logits")
    add("--labels", help="name of the array of labels in the data")
    add("--accept", type=float, default=0.01, help="share of predictions that may differ")
    add("--compare", help="module:function, errors of two outputs; solverproof:relative_error")
    add(
        "--trained",
        nargs="+",
        metavar=("SOLVER", "VALUE"),
        help="solver and steps or tolerance (and atol) of training, or flow: trained without one",
    )
    add("--confidence", type=float, default=0.95, help="of all intervals")
    add("--batch-size", type=int, help="samples that are solved together; all by default")
    add("--device", default="cpu", help="where it is computed")
    add("--no-candidates", action="store_true", help="audit the deployed setting alone")
    add("--out", type=Path, help="folder of the report")


def _trained(words: Sequence[str] | None) -> Any:
    """What `audit` takes for `trained`."""
    from solverproof.auditing.call import solver_named

    if words is None or words == ["flow"]:
        return words and "flow"
    try:
        solver, values = words[0], [_number(word) for word in words[1:]]
        number, atol = values if len(values) > 1 else [*values, None]
    except ValueError as error:
        told = "write a solver and its steps or tolerance (and atol), or flow"
        raise InputError(f"--trained {' '.join(words)}: {told}") from error
    return {"solver": solver, solver_named("trained", solver).measure: number, "atol": atol}


def _number(text: str) -> float:
    """A number, whole where it is written so."""
    try:
        return int(text)
    except ValueError:
        return float(text)


def main(arguments: Sequence[str] | None = None, prog: str = "python -m solverproof") -> int:
    """Run one verb.

    Args:
        arguments: the words after the command; by default those that it was called with.
        prog: what the user typed to call it, for the help.

    Returns:
        The exit status: 0 on success; 2, with one line on standard error, if the user has something
        to fix; what the verb says, of those that judge.
    """
    # As on standard error: what the terminal's encoding lacks is escaped.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        words = _words(sys.argv[1:] if arguments is None else arguments)
        return _run(_parser(prog).parse_args(words))
    except InputError as error:
        message = str(error)
        if isinstance(error, UserCodeError) and (own := own_part(error)):
            traceback.print_exception(own)
    except OSError as error:  # a missing file, or a full disk when writing the log
        message = f"{error.filename or prog}: {error.strerror or error}"
    except MemoryError:
        message = f"{prog}: there is not enough memory; ask for less, or take a larger machine"
    print(f"solverproof: {message}", file=sys.stderr)
    return 2


def _words(given: Sequence[str]) -> list[str]:
    """The words of the command line, and those on standard input if the last one is `-`.

    A study may have more paths than the system passes to a program.
    """
    if given[-1:] != ["-"]:
        return [*given]
    return [*given[:-1], *os.fsdecode(sys.stdin.buffer.read()).removesuffix("\n").split("\n")]


def _run(args: argparse.Namespace) -> int:
    """Run a verb; a stage reads only what other stages have written as it is."""
    from solverproof.checksums import record, verify

    verify(_files(args, args.reads))
    status = args.run_verb(args)
    record([*_files(args, args.writes), *(args.out / name for name in args.tables)])
    return int(status or 0)


def _files(args: argparse.Namespace, names: Sequence[str]) -> list[Path]:
    given = [getattr(args, name) for name in names]
    return [path for one in given for path in (one if isinstance(one, list) else [one])]


def command() -> int:
    """Run one verb as the command `solverproof`.

    Like `python -m` it looks into the working directory first, which may hold the user's networks.
    """
    sys.path.insert(0, str(Path.cwd()))
    return main(prog="solverproof")


if __name__ == "__main__":
    sys.exit(main())
