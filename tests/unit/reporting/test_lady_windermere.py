"""The fan's claim, proved by computation and cross-checked by methods the module does not use."""

from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from solverproof.reporting.figures.lady_windermere import (
    COARSE_STEP,
    FAN,
    FINE_STEP,
    XOR_LABELS,
    XOR_POINTS,
    FanSystem,
    euler_trajectories,
    linearly_separable,
    separation_margin,
    vector_field,
)

# Of the picture's longer side; the paper's effect must be visible, not a rounding accident.
CLEAR = 0.025

# A busy machine must not fail a property.
untimed = settings(max_examples=100, deadline=None)

unit = st.floats(-1, 1)
coordinates = st.integers(-10, 10)
integer_points = st.tuples(coordinates, coordinates)
four_points = st.lists(integer_points, min_size=4, max_size=4)
labelled_points = st.lists(st.tuples(integer_points, st.integers(0, 1)), min_size=2, max_size=9)


@cache
def trajectories(step_size, end_time=FAN.end_time):
    return euler_trajectories(replace(FAN, end_time=end_time), XOR_POINTS, step_size)


def end_points(step_size, end_time=FAN.end_time):
    return trajectories(step_size, end_time)[-1]


def picture_size():
    return np.ptp(trajectories(COARSE_STEP), axis=(0, 1)).max()


@cache
def reference_end_points(end_time=FAN.end_time):
    def field(_, z):
        x, y = z
        stiffness = FAN.gamma * (x * x + y * y) ** (FAN.delta / 2)
        return [FAN.alpha * x + y, -stiffness * x + FAN.beta * y]

    def carry(start):
        tight = {"method": "DOP853", "rtol": 1e-12, "atol": 1e-13}
        return solve_ivp(field, (0.0, end_time), start, **tight).y[:, -1]

    return np.array([carry(start) for start in XOR_POINTS])


def errors(step_size, end_time=FAN.end_time):
    misses = end_points(step_size, end_time) - reference_end_points(end_time)
    return np.linalg.norm(misses, axis=1)


def turn(a, b, c):
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def lies_on(p, a, b):
    inside = all(min(u, v) <= w <= max(u, v) for u, v, w in zip(a, b, p, strict=True))
    return turn(a, b, p) == 0 and inside


def segments_meet(a, b, c, d):
    """Exact for integers and fractions: a proper crossing, or an end lying on the other one."""
    if turn(a, b, c) * turn(a, b, d) < 0 and turn(c, d, a) * turn(c, d, b) < 0:
        return True
    return lies_on(c, a, b) or lies_on(d, a, b) or lies_on(a, c, d) or lies_on(b, c, d)


def exact(points):
    return [tuple(Fraction(float(value)) for value in point) for point in points]


def test_the_coarse_step_separates_xor_by_a_clear_margin():
    assert linearly_separable(end_points(COARSE_STEP), XOR_LABELS)
    assert separation_margin(end_points(COARSE_STEP), XOR_LABELS) > CLEAR * picture_size()


def test_the_fine_step_does_not_separate_xor_by_a_clear_margin():
    assert not linearly_separable(end_points(FINE_STEP), XOR_LABELS)
    assert separation_margin(end_points(FINE_STEP), XOR_LABELS) < -CLEAR * picture_size()


def test_the_reference_solution_does_not_separate_xor_by_a_clear_margin():
    assert not linearly_separable(reference_end_points(), XOR_LABELS)
    assert separation_margin(reference_end_points(), XOR_LABELS) < -CLEAR * picture_size()


def test_exact_segment_crossing_confirms_all_three_verdicts():
    assert not segments_meet(*exact(end_points(COARSE_STEP)))
    assert segments_meet(*exact(end_points(FINE_STEP)))
    assert segments_meet(*exact(reference_end_points()))


@pytest.mark.parametrize("factor", [0.7, 0.95, 1.05, 1.3])
def test_neighbours_of_the_coarse_step_separate_xor_too(factor):
    assert linearly_separable(end_points(factor * COARSE_STEP), XOR_LABELS)


@pytest.mark.parametrize("factor", [0.95, 1.05, 1.5])
def test_neighbours_of_the_fine_step_do_not_separate_xor_either(factor):
    assert not linearly_separable(end_points(factor * FINE_STEP), XOR_LABELS)


@pytest.mark.parametrize("name", ["alpha", "beta", "gamma", "delta", "end_time"])
@pytest.mark.parametrize("factor", [0.99, 1.01])
def test_a_change_of_one_percent_in_a_parameter_keeps_the_coarse_separation(name, factor):
    changed = replace(FAN, **{name: factor * getattr(FAN, name)})
    assert linearly_separable(euler_trajectories(changed, XOR_POINTS, COARSE_STEP)[-1], XOR_LABELS)


def test_the_fine_end_points_lie_near_the_reference_and_the_coarse_ones_do_not():
    assert errors(FINE_STEP).max() < 0.04 * picture_size()
    assert np.sort(errors(COARSE_STEP))[-2:].min() > 0.3 * picture_size()


def test_the_trajectories_are_of_similar_size_and_turn_a_few_times():
    moving = trajectories(COARSE_STEP)[:, 1:]
    assert np.ptp(moving, axis=0).max(axis=1).min() > 0.4 * picture_size()
    angles = np.unwrap(np.arctan2(moving[..., 1], moving[..., 0]), axis=0)
    turns = np.abs(angles[-1] - angles[0]) / (2 * np.pi)
    assert turns.min() > 3
    assert turns.max() < 7


def test_a_line_found_by_turning_a_ruler_has_the_reported_margin():
    angles = np.linspace(0, 2 * np.pi, 200_001)
    heights = end_points(COARSE_STEP) @ np.stack([np.cos(angles), np.sin(angles)])
    gaps = heights[XOR_LABELS == 1].min(axis=0) - heights[XOR_LABELS == 0].max(axis=0)
    margin = separation_margin(end_points(COARSE_STEP), XOR_LABELS)
    assert gaps.max() / 2 == pytest.approx(margin, abs=1e-6)


def test_the_field_agrees_with_values_worked_out_by_hand():
    system = FanSystem(alpha=0.5, beta=-2.0, gamma=3.0, delta=2.0, end_time=1.0)
    z = np.array([[[0.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [3.0, 4.0]]])
    expected = [[[0.0, 0.0], [0.5, -3.0]], [[1.0, -2.0], [5.5, -233.0]]]
    np.testing.assert_allclose(vector_field(system, z), expected, rtol=1e-14)


def test_the_steps_are_equal_and_end_exactly_at_the_end_time():
    growth = FanSystem(alpha=0.6, beta=0.0, gamma=0.0, delta=1.0, end_time=1.0)
    states = euler_trajectories(growth, np.array([[1.0, 0.0]]), step_size=0.35)
    np.testing.assert_allclose(states[:, 0, 0], 1.2 ** np.arange(4), rtol=1e-14)


def test_trajectories_begin_at_the_given_points_and_leave_them_unchanged():
    points = XOR_POINTS.copy()
    states = euler_trajectories(replace(FAN, end_time=2.0), points, step_size=0.05)
    assert states.shape == (41, 4, 2)
    np.testing.assert_array_equal(states[0], XOR_POINTS)
    np.testing.assert_array_equal(points, XOR_POINTS)


@pytest.mark.parametrize(
    ("end_time", "coarsest", "tolerance"),
    # Over the whole time the phase errors are large enough for the next order to show.
    [(2.0, COARSE_STEP, 0.02), (FAN.end_time, FINE_STEP, 0.15)],
    ids=["first turn", "whole time"],
)
def test_the_error_of_the_trajectories_falls_with_order_one(end_time, coarsest, tolerance):
    steps = coarsest / np.array([1, 2, 4])
    largest = [errors(step, end_time).max() for step in steps]
    slope = np.polyfit(np.log(steps), np.log(largest), 1)[0]
    assert slope == pytest.approx(1.0, abs=tolerance)


@pytest.mark.parametrize("step_size", [0.0, -0.1, 14.1, float("nan")])
def test_a_step_outside_the_time_span_is_refused(step_size):
    with pytest.raises(ValueError, match="step_size"):
        euler_trajectories(FAN, XOR_POINTS, step_size)


@pytest.mark.parametrize("wrong", [{"delta": -0.5}, {"end_time": 0.0}, {"end_time": float("nan")}])
def test_a_system_without_a_flow_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(FAN, **wrong)


@untimed
@given(unit, unit, st.floats(0.1, 4), st.floats(0.1, 3), st.floats(0.02, 0.1))
def test_a_linear_system_never_separates_xor(alpha, beta, gamma, end_time, step_size):
    linear = FanSystem(alpha, beta, gamma, delta=0.0, end_time=end_time)
    ends = euler_trajectories(linear, XOR_POINTS, step_size)[-1]
    assert not linearly_separable(ends, XOR_LABELS)


@untimed
@given(four_points)
def test_linear_programming_agrees_with_exact_segment_crossing(points):
    separable = linearly_separable(np.array(points, dtype=float), XOR_LABELS)
    assert separable != segments_meet(*points)


@untimed
@given(labelled_points, st.lists(st.integers(-3, 3), min_size=4, max_size=4), integer_points)
def test_separability_survives_invertible_affine_maps(labelled, entries, shift):
    matrix = np.array(entries, dtype=float).reshape(2, 2)
    assume(abs(np.linalg.det(matrix)) > 0.5)
    points = np.array([point for point, _ in labelled], dtype=float)
    labels = np.array([label for _, label in labelled])
    moved = points @ matrix.T + 1e5 * np.array(shift)
    assert linearly_separable(moved, labels) == linearly_separable(points, labels)


def test_a_small_figure_far_from_the_origin_is_judged_by_its_own_size():
    square = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    assert linearly_separable(square + 1e8, XOR_LABELS)


@untimed
@given(
    st.floats(0, 2 * np.pi),
    st.floats(-5, 5),
    st.lists(st.tuples(st.floats(0.01, 5), st.floats(-5, 5), st.integers(0, 1)), min_size=1),
)
def test_points_drawn_on_the_two_sides_of_a_line_are_separable(angle, offset, drawn):
    height, along, labels = (np.array(column) for column in zip(*drawn, strict=True))
    normal = np.array([np.cos(angle), np.sin(angle)])
    tangent = np.array([-normal[1], normal[0]])
    signed = offset + (2 * labels - 1) * height
    assert linearly_separable(np.outer(signed, normal) + np.outer(along, tangent), labels)


@untimed
@given(labelled_points, st.data())
def test_a_point_inside_the_other_class_destroys_separability(labelled, data):
    count = len(labelled)
    points = np.array([point for point, _ in labelled], dtype=float)
    zeros = np.zeros(count, dtype=int)
    weights = np.array(data.draw(st.tuples(*[st.integers(1, 5)] * count)))
    intruder = weights @ points / weights.sum()
    assert linearly_separable(points, zeros)
    assert not linearly_separable(np.vstack([points, intruder]), np.append(zeros, 1))


@pytest.mark.parametrize(
    ("points", "labels", "complaint"),
    [
        (np.zeros((3, 2)), np.array([0, 1]), "shapes"),
        (np.zeros((2, 3)), np.array([0, 1]), "shapes"),
        (np.zeros((2, 2)), np.array([-1, 1]), "labels must be"),
        (np.array([[0.0, np.nan], [1.0, 1.0]]), np.array([0, 1]), "points must be finite"),
    ],
)
def test_malformed_point_sets_are_refused(points, labels, complaint):
    with pytest.raises(ValueError, match=complaint):
        linearly_separable(points, labels)


@pytest.mark.parametrize(
    ("points", "margin"),
    [
        ([[0, 0], [0, 3], [2, 1], [5, 1]], 1.0),
        ([[0, 0], [4, 0], [1, 1], [1, -3]], -0.5),
        ([[0, 0], [4, 0], [1, 0], [1, 3]], 0.0),
        ([[0, 0], [0, 0], [3, 4], [3, 4]], 2.5),
    ],
    ids=["apart", "crossing", "touching", "single points"],
)
def test_the_margin_of_simple_figures_is_known(points, margin):
    assert separation_margin(np.array(points, dtype=float), XOR_LABELS) == pytest.approx(margin)


@untimed
@given(four_points)
def test_the_margin_is_positive_exactly_for_separable_points(points):
    placed = np.array(points, dtype=float)
    assert (separation_margin(placed, XOR_LABELS) > 0) == linearly_separable(placed, XOR_LABELS)


def test_the_margin_is_refused_for_classes_of_other_sizes():
    with pytest.raises(ValueError, match="two points in each class"):
        separation_margin(XOR_POINTS, np.array([0, 1, 1, 1]))
