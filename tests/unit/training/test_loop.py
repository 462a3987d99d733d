import math
from itertools import islice

import numpy as np
import pytest
import torch
from defined import classifier_of
from defined import trained as train_with_schedule
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import PlainClassifier
from torch.nn.functional import cross_entropy

from solverproof.datasets.digits import digits
from solverproof.datasets.spheres import spheres
from solverproof.models.losses import seed_losses
from solverproof.ode.solvers import SOLVERS, Setting
from solverproof.training import loop as training
from solverproof.training.batches import batch_indices, run_seed
from solverproof.training.controllers.random_steps import RandomSteps
from solverproof.training.loop import Failure

CONV, MLP = {"family": "conv", "channels": 8}, {"family": "mlp", "widths": [9, 6]}
PROBLEMS = {
    "sphere2": (CONV, {"dimension": 2}),
    "sphere3": (CONV, {"dimension": 3}),
    "sphere10": (CONV, {"dimension": 10}),
    "mlp": (MLP, {"dimension": 2}),
    "digits": ({"family": "conv", "channels": 4}, None),
}
EULER = Setting(SOLVERS["euler"], steps=3)
DATA = {"family": "digits", "test": 1, "seed": 0}  # which training does not look at
every_problem = pytest.mark.parametrize("problem", PROBLEMS)


def data_of(problem, dtype=np.float64):
    shape = PROBLEMS[problem][1]
    data = (
        digits(test=1700, seed=0) if shape is None else spheres(train=50, test=4, seed=0, **shape)
    )
    return {**data, "train_x": data["train_x"].astype(dtype)}


def steps_of(solver, steps):
    return Setting(SOLVERS[solver], steps=steps)


def spec_of(problem, seeds=(0, 1, 2), chosen=EULER, horizon=1.0, **protocol):
    classes = 10 if problem == "digits" else 2
    standard = {
        "iterations": 5,
        "batch": 16,
        "learning_rate": 0.01,
        "gradient": "backpropagation",
        "history_every": 2,
    }
    return {
        "task": problem,
        "model": {"network": PROBLEMS[problem][0], "outputs": classes, "horizon": horizon},
        "protocol": {**standard, **protocol},
        "setting": chosen.to_json(),
        "data": DATA,
        "seeds": list(seeds),
        "device": "cpu",
    }


def train(spec, data):
    """With the setting of the specification in every iteration."""
    return train_with_schedule(spec, data, lambda _: Setting.from_json(spec["setting"]))


def initial(spec, data):
    return train({**spec, "protocol": {**spec["protocol"], "iterations": 0}}, data).parameters


def without_times(history):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


def same_bits(first, second):
    return first.keys() == second.keys() and all(
        torch.equal(p, second[name]) for name, p in first.items()
    )


@pytest.fixture
def drawn(monkeypatch):
    """The batches that training draws, as it goes."""
    batches = []

    def recording(*arguments):
        for index in batch_indices(*arguments):
            batches.append(index)
            yield index

    monkeypatch.setattr(training, "batch_indices", recording)
    return batches


@pytest.mark.usefixtures("double_precision")
def test_training_goes_on_as_long_as_it_is_told_to_as_if_it_had_been_longer_from_the_start():
    data, told = data_of("mlp"), [3, 4, 0]

    def more(end):
        states = torch.zeros(3, 1, 2).double()
        assert end.model.outputs(end.parameters, states).shape == (3, 1, 2)
        return told.pop(0)

    longer = train_with_schedule(spec_of("mlp"), data, lambda _: EULER, more=more)
    assert told == []
    assert longer.iterations == 5 + 3 + 4
    assert same_bits(longer.parameters, train(spec_of("mlp", iterations=12), data).parameters)
    assert longer.history[-1]["iteration"] == 12


@pytest.mark.usefixtures("double_precision")
@every_problem
def test_a_seed_in_a_block_is_trained_as_if_alone(problem):
    data = data_of(problem)
    together = train(spec_of(problem), data)
    for i, seed in enumerate([0, 1, 2]):
        alone = train(spec_of(problem, seeds=[seed]), data)
        for name, p in together.parameters.items():
            torch.testing.assert_close(p[i], alone.parameters[name][0], rtol=1e-9, atol=1e-11)
        rows = [row for row in together.history if row["seed"] == seed]
        for row, own in zip(rows, alone.history, strict=True):
            assert (row["iteration"], row["accuracy"], row["nfe"]) == (
                own["iteration"],
                own["accuracy"],
                own["nfe"],
            )
            assert row["loss"] == pytest.approx(own["loss"], rel=1e-10)


@every_problem
def test_training_gives_the_same_bits_every_time(problem):
    data = data_of(problem, np.float32)
    first = train(spec_of(problem), data)
    torch.manual_seed(99)
    again = train(spec_of(problem), data)
    assert same_bits(first.parameters, again.parameters)
    assert without_times(first.history) == without_times(again.history)


@pytest.mark.usefixtures("double_precision")
@every_problem
@pytest.mark.parametrize(
    ("solver", "value", "horizon"),
    [("euler", 4, 1.0), ("rk4", 2, 0.7), ("fehlberg2", 1e-2, 0.7), ("dopri5", 1e-4, 1.0)],
)
def test_training_equals_a_plain_loop_with_modules_torchdiffeq_and_adam(
    problem, solver, value, horizon, drawn
):
    data = data_of(problem)
    x, y = torch.from_numpy(data["train_x"]), torch.from_numpy(data["train_y"])
    spec = spec_of(
        problem,
        seeds=[4, 5],
        chosen=Setting.of(SOLVERS[solver], value),
        horizon=horizon,
        history_every=1,
    )
    start = initial(spec, data)
    trained = train(spec, data)
    batches = drawn[-5:]
    model = classifier_of(spec["model"], x.shape[1:])
    for i, seed in enumerate([4, 5]):
        plain = PlainClassifier(model, start, i)
        optimizer = torch.optim.Adam(plain.parameters(), lr=0.01)
        for batch, row in zip(
            batches, (r for r in trained.history if r["seed"] == seed), strict=True
        ):
            logits, labels = plain(x[batch[i]], solver, value), y[batch[i]]
            loss = cross_entropy(logits, labels)
            assert row["loss"] == pytest.approx(loss.item(), rel=1e-9)
            assert row["accuracy"] == pytest.approx(
                (logits.argmax(1) == labels).double().mean().item(), rel=1e-6
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        final = PlainClassifier(model, trained.parameters, i)
        for ours, theirs in zip(final.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)


def test_training_changes_the_parameters_and_returns_them_without_gradients():
    data, spec = data_of("sphere2", np.float32), spec_of("sphere2")
    before, after = initial(spec, data), train(spec, data).parameters
    assert all((before[name] != p).any() for name, p in after.items())
    assert not any(p.requires_grad for p in after.values())


def test_another_seed_and_another_task_begin_with_other_weights():
    data = data_of("sphere2", np.float32)
    first, *others = (
        initial(spec, data)
        for spec in (
            spec_of("sphere2", seeds=[0]),
            spec_of("sphere2", seeds=[1]),
            {**spec_of("sphere2", seeds=[0]), "task": "another"},
        )
    )
    weights = [name for name in first if "weight" in name]
    assert all((first[name] != other[name]).all() for name in weights for other in others)


SETTINGS = [("euler", 3), ("euler", 4), ("rk4", 3), ("dopri5", 0.1)]


def test_a_seed_has_the_same_weights_and_batches_with_every_solver_and_setting(drawn):
    data, starts, orders = data_of("sphere2", np.float32), [], []
    for solver, value in SETTINGS:
        spec = spec_of("sphere2", chosen=Setting.of(SOLVERS[solver], value))
        starts.append(initial(spec, data))
        drawn.clear()
        train(spec, data)
        orders.append(torch.stack(drawn[:5]))
    assert all(same_bits(starts[0], start) for start in starts)
    assert all(torch.equal(orders[0], order) for order in orders)


def test_a_controller_that_draws_changes_neither_weights_nor_batches(drawn):
    data = data_of("sphere2", np.float32)
    spec = spec_of("sphere2", seeds=[1])
    train(spec, data)
    fixed = torch.stack(drawn[:5])
    drawn.clear()
    random = RandomSteps(steps=(2, 5), probe_every=1)
    stream = run_seed("sphere2", 1, "controller")
    schedule = random.schedule(SOLVERS["euler"], seed=1, stream=stream)
    train_with_schedule(spec, data, schedule)
    assert torch.equal(torch.stack(drawn[:5]), fixed)


def test_purposes_seeds_and_tasks_have_streams_of_their_own():
    streams = [
        run_seed(task, seed, purpose)
        for task in ("sphere2", "sphere3")
        for seed in range(20)
        for purpose in ("weights", "batches", "controller")
    ]
    assert len(set(streams)) == len(streams) == 120


def test_the_protocol_does_not_change_the_initial_weights():
    data = data_of("sphere2", np.float32)
    first, other = (initial(spec_of("sphere2", batch=batch), data) for batch in (16, 50))
    assert same_bits(first, other)


@pytest.mark.parametrize(
    ("iterations", "every", "expected"),
    [(7, 3, [3, 6, 7]), (6, 3, [3, 6]), (2, 50, [2]), (3, 1, [1, 2, 3])],
)
def test_history_has_a_row_per_seed_at_the_stated_iterations_and_the_last(
    iterations, every, expected
):
    spec = spec_of(
        "sphere2", chosen=steps_of("midpoint", 3), iterations=iterations, history_every=every
    )
    history = train(spec, data_of("sphere2", np.float32)).history
    assert [(row["iteration"], row["seed"]) for row in history] == [
        (k, seed) for k in expected for seed in (0, 1, 2)
    ]
    assert {row["nfe"] for row in history} == {6}
    seconds = [row["seconds"] for row in history]
    assert seconds == sorted(seconds)


def test_a_schedule_chooses_the_setting_of_every_iteration():
    data, asked = data_of("sphere2", np.float32), []
    chosen = [
        steps_of("euler", 2),
        steps_of("euler", 4),
        steps_of("rk4", 1),
        steps_of("midpoint", 5),
        EULER,
    ]

    def schedule(batch):
        asked.append(batch.iteration)
        return chosen[batch.iteration - 1]

    history = train_with_schedule(spec_of("sphere2", history_every=1), data, schedule).history
    assert asked == [1, 2, 3, 4, 5]
    rows = [row for row in history if row["seed"] == 0]
    assert [(row["nfe"], row["steps"]) for row in rows] == [(2, 2), (4, 4), (4, 1), (10, 5), (3, 3)]


def test_a_schedule_that_looks_at_the_batch_and_keeps_the_setting_changes_no_bit():
    data, spec = data_of("sphere2", np.float32), spec_of("sphere2")

    def schedule(batch):
        batch.model(batch.parameters, batch.x, steps_of("rk4", 7))
        return EULER

    assert same_bits(
        train_with_schedule(spec, data, schedule).parameters, train(spec, data).parameters
    )


def test_a_schedule_sees_the_model_as_it_stands_and_the_batch_it_is_trained_on(drawn):
    data, spec, seen = data_of("sphere2", np.float32), spec_of("sphere2", history_every=1), []

    def schedule(batch):
        logits = batch.model(batch.parameters, batch.x, EULER).outputs
        seen.append((batch.x, batch.targets, seed_losses(logits, batch.targets).tolist()))
        return EULER

    history = train_with_schedule(spec, data, schedule).history
    for k, ((x, labels, losses), index) in enumerate(zip(seen, drawn, strict=True), start=1):
        assert torch.equal(x, torch.from_numpy(data["train_x"])[index])
        assert torch.equal(labels, torch.from_numpy(data["train_y"])[index])
        assert losses == [row["loss"] for row in history if row["iteration"] == k]


def test_evaluations_are_added_up_over_all_forward_passes_and_known_to_the_schedule():
    data, known = data_of("sphere2", np.float32), []

    def schedule(batch):
        known.append(batch.total_nfe)
        return steps_of("midpoint", batch.iteration)

    trained = train_with_schedule(spec_of("sphere2", history_every=2), data, schedule)
    assert known == [[0] * 3, [2] * 3, [6] * 3, [12] * 3, [20] * 3]
    rows = [
        (row["iteration"], row["nfe"], row["total_nfe"])
        for row in trained.history
        if row["seed"] == 1
    ]
    assert rows == [(2, 4, 6), (4, 8, 20), (5, 10, 30)]
    assert trained.mean_nfe == {0: 6.0, 1: 6.0, 2: 6.0}


def diverged_at(iteration):
    return Failure("diverged", f"loss not finite at iteration {iteration}")


def first_meeting(batches, sample):
    """For each seed the first iteration whose batch holds the sample, or None."""
    seeds = range(len(batches[0]))
    met = [[k for k, index in enumerate(batches, start=1) if sample in index[i]] for i in seeds]
    return [k[0] if k else None for k in met]


@every_problem
def test_a_diverging_seed_is_reported_and_changes_no_bit_of_the_others(problem, drawn):
    data, spec = (
        data_of(problem, np.float32),
        spec_of(problem, seeds=range(6), batch=4, history_every=1),
    )
    healthy = train(spec, data)
    sample = next(
        s for s in range(len(data["train_x"])) if len(set(first_meeting(drawn, s)) - {None}) > 1
    )
    meetings = first_meeting(drawn, sample)
    data["train_x"][sample] = np.inf
    ill = train(spec, data)
    assert ill.failures == {
        seed: diverged_at(k) for seed, k in enumerate(meetings) if k is not None
    }
    for seed, k in enumerate(meetings):
        rows, expected = (
            [r for r in without_times(t.history) if r["seed"] == seed] for t in (ill, healthy)
        )
        if k is None:
            assert rows == expected
            assert all(
                torch.equal(p[seed], healthy.parameters[name][seed])
                for name, p in ill.parameters.items()
            )
        else:
            assert rows[:-1] == expected[: k - 1]
            assert rows[-1]["iteration"] == k
            assert not math.isfinite(rows[-1]["loss"])


def ill_run_with_few_rows(drawn):
    """A training with a row every 5 iterations, and each seed's iteration of divergence."""
    data, spec = (
        data_of("sphere2", np.float32),
        spec_of("sphere2", iterations=12, batch=10, history_every=5),
    )
    train(spec, data)
    data["train_x"][0] = np.inf
    return train(spec, data).history, first_meeting(drawn, 0)


def iterations_of(seed, history):
    return [row["iteration"] for row in history if row["seed"] == seed]


def test_a_seed_that_diverges_between_two_rows_of_history_gets_its_last_row_there(drawn):
    history, meetings = ill_run_with_few_rows(drawn)
    assert [iterations_of(seed, history)[-1] for seed in range(3)] == meetings


def test_a_neighbour_that_diverges_adds_no_row_to_the_history_of_a_seed(drawn):
    history, meetings = ill_run_with_few_rows(drawn)
    for seed, k in enumerate(meetings):
        assert iterations_of(seed, history) == sorted({*range(5, k, 5), k})


def test_training_stops_when_all_seeds_have_diverged(drawn):
    spec = spec_of("sphere2", iterations=1000, learning_rate=1e30, history_every=1)
    trained = train(spec, data_of("sphere2", np.float32))
    assert set(trained.failures) == {0, 1, 2}
    assert len(drawn) == max(row["iteration"] for row in trained.history) < 20
    ends = {row["seed"]: row["iteration"] for row in trained.history}
    assert trained.failures == {seed: diverged_at(k) for seed, k in ends.items()}


def test_a_run_that_does_not_diverge_reports_no_failure():
    assert train(spec_of("sphere2"), data_of("sphere2", np.float32)).failures == {}


def test_seed_losses_are_the_cross_entropies_of_each_seed():
    logits, labels = torch.randn(3, 7, 4), torch.randint(4, (3, 7))
    expected = torch.stack([cross_entropy(logits[i], labels[i]) for i in range(3)])
    torch.testing.assert_close(seed_losses(logits, labels), expected)


@settings(max_examples=50)
@given(
    st.integers(1, 40), st.integers(1, 60), st.lists(st.integers(0, 2**48), min_size=1, max_size=4)
)
def test_every_batch_is_full_and_every_epoch_uses_every_sample_once(samples, batch, streams):
    count = 3 * samples // batch + 2
    batches = list(islice(batch_indices(samples, batch, streams), count))
    assert all(index.shape == (len(streams), batch) for index in batches)
    walked = torch.cat(batches, 1)
    for epoch in range(walked.shape[1] // samples):
        indices = walked[:, epoch * samples : (epoch + 1) * samples]
        assert torch.equal(indices.sort(1).values, torch.arange(samples).expand(len(streams), -1))


@settings(max_examples=50)
@given(
    st.integers(1, 40), st.integers(1, 60), st.lists(st.integers(0, 2**48), min_size=1, max_size=4)
)
def test_a_stream_of_batches_does_not_depend_on_its_neighbours(samples, batch, streams):
    together = list(islice(batch_indices(samples, batch, streams), 5))
    for i, stream in enumerate(streams):
        alone = islice(batch_indices(samples, batch, [stream]), 5)
        assert all(
            torch.equal(index[i], own[0]) for index, own in zip(together, alone, strict=True)
        )


@given(st.integers(1, 20), st.integers(1, 8), st.integers(0, 2**48))
def test_the_order_of_samples_does_not_depend_on_the_batch_size(samples, batch, stream):
    in_batches = torch.cat(list(islice(batch_indices(samples, batch, [stream]), 3 * samples)), 1)
    one_by_one = torch.cat(list(islice(batch_indices(samples, 1, [stream]), 3 * samples)), 1)
    assert torch.equal(in_batches[:, : 3 * samples], one_by_one)


def test_epochs_and_streams_are_shuffled_differently():
    (walked,) = islice(batch_indices(1000, 2000, [0, 2]), 1)
    assert not torch.equal(walked[0], walked[1])
    assert not torch.equal(walked[0, :1000], walked[0, 1000:])
    assert not torch.equal(walked[0, :1000], torch.arange(1000))
