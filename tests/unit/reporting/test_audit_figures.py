import math

import numpy as np
import pytest
from audits import candidate, failed, many, passed, table, undecided, values

from solverproof.reporting.figures import convergence, pareto
from solverproof.reporting.figures.style import house_style, style_of
from solverproof.reporting.html.wording import accepted_share, candidates, missed


def pareto_of(result):
    with house_style():
        return pareto.figure(candidates(result), accepted_share(result), missed(result))


def convergence_of(result):
    orders = convergence.observed_orders(result.measures, result.deployed.solver.name)
    with house_style():
        return convergence.figure(candidates(result), orders)


def labelled(figure, label):
    return [line for line in figure.axes[0].lines if line.get_label() == label]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize(
    ("result", "place"),
    [(passed(), (32, 0.3)), (failed(), (8, 36.1)), (values(), (16, 1.2)), (many(), (32, 0.2))],
)
def test_the_deployed_setting_is_marked(result, place):
    figure = pareto_of(result)
    (ring,) = labelled(figure, pareto.DEPLOYED)
    found = float(ring.get_xdata()[0]), float(ring.get_ydata()[0])
    np.testing.assert_allclose(found, place, rtol=0.06)  # solvers are set apart a little
    assert pareto.DEPLOYED in legend(figure)


def test_a_solver_alone_stands_at_its_evaluations():
    (ring,) = labelled(pareto_of(values()), pareto.DEPLOYED)
    assert ring.get_xdata()[0] == 16


def test_a_deployed_setting_that_failed_is_told_in_the_title():
    figure = pareto_of(undecided(settings=table(candidate("rk4", 1, None, deployed=True))))
    assert labelled(figure, pareto.DEPLOYED) == []
    assert figure.axes[0].get_title(loc="left") == "1 of 1 settings failed: RK4 1"
    assert "no setting could be compared" in [text.get_text() for text in figure.axes[0].texts]


def test_settings_that_failed_are_counted_and_the_first_named():
    lost = [candidate("euler", 2**k, None) for k in range(5)]
    figure = pareto_of(undecided(settings=table(candidate("euler", 64, 3, deployed=True), *lost)))
    title = figure.axes[0].get_title(loc="left")
    assert title == "5 of 6 settings failed: Euler 1, Euler 2, Euler 4, …"
    assert pareto_of(failed()).axes[0].get_title(loc="left") == ""


@pytest.mark.parametrize(("result", "accepted"), [(passed(), 1.0), (values(), 5.0)])
def test_the_region_of_safe_settings_ends_at_the_line_of_what_is_accepted(result, accepted):
    figure = pareto_of(result)
    (line,) = labelled(figure, f"accepted: {accepted:g} %")
    assert set(line.get_ydata()) == {accepted}
    (region,) = figure.axes[0].patches
    assert region.get_y() + region.get_height() == pytest.approx(accepted)


def test_intervals_are_drawn_and_within_the_axes():
    ax = pareto_of(passed()).axes[0]
    rows = [row for row in candidates(passed()) if math.isfinite(row.disagreement)]
    bars = np.concatenate([path.vertices for c in ax.collections for path in c.get_paths()])
    for row in rows:
        assert np.isclose(bars[:, 1], 100 * row.disagreement_high).any()
    assert ax.get_ylim()[1] > bars[:, 1].max()
    assert ax.get_ylim()[0] < 0


def test_solvers_have_their_own_colour_and_marker_and_adaptive_ones_are_hollow():
    ax = pareto_of(many()).axes[0]
    looks = set()
    for container in ax.containers:
        line = container.lines[0]
        looks.add((line.get_color(), line.get_marker(), line.get_fillstyle()))
    assert len(looks) == len(ax.containers) == 10
    assert (style_of("rk4").color, style_of("rk4").marker, "full") in looks
    assert (style_of("dopri5").color, style_of("dopri5").marker, "none") in looks


def test_nothing_accepted_is_drawn_too():
    figure = pareto_of(passed(accept=0.0))
    assert labelled(figure, "accepted: 0 %")


def test_the_slope_is_that_of_the_observed_order_and_is_named():
    figure = convergence_of(passed())
    names = [name for name in legend(figure) if "order" in name]
    assert names == ["Euler: order 1.02", "midpoint: order 1.97", "RK4: order 3.40"]
    for name, order in zip(names, (1.02, 1.97, 3.4), strict=True):
        (line,) = labelled(figure, name)
        slopes = np.diff(np.log(line.get_ydata())) / np.diff(np.log(line.get_xdata()))
        np.testing.assert_allclose(slopes, order)


def test_errors_stand_at_their_step_size_the_median_and_the_percentile():
    ax = convergence_of(failed()).axes[0]
    drawn = [dict(zip(line.get_xdata(), line.get_ydata(), strict=True)) for line in ax.lines]
    assert {1 / 16: 0.3, 1 / 8: 0.4, 1 / 4: 0.6} in drawn
    assert {1 / 16: 1.2, 1 / 8: 1.6, 1 / 4: 2.4} in [
        {h: round(error, 9) for h, error in line.items()} for line in drawn
    ]
    assert len(drawn) == 2  # one step size of RK4 has no slope


@pytest.mark.parametrize(
    ("measures", "orders"),
    [
        ({}, {}),
        ({"order": None}, {}),
        ({"order": {"observed": 1.1, "expected": 1}}, {"rk4": 1.1}),
        ({"order": {"observed": None}}, {}),
        ({"order": {"observed": math.nan}}, {}),
        ({"order": {"euler": {"observed": 0.9}, "rk4": None}}, {"euler": 0.9}),
    ],
)
def test_the_order_is_read_for_the_deployed_solver_or_for_each(measures, orders):
    assert convergence.observed_orders(measures, "rk4") == orders


def test_errors_that_are_zero_or_not_finite_are_left_out():
    rows = [candidate("euler", n, 0, error) for n, error in ((1, math.inf), (2, 0.2), (4, 0.0))]
    assert convergence.refined(candidates(undecided(settings=table(*rows)))) == {}
