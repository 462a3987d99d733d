import re
from decimal import Context, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solverproof.ode.shipped import shipped
from solverproof.ode.tableaux import TableauError, _condition, order_of, parse, trees

SHIPPED = shipped()
RK4 = SHIPPED["classic_rk4"]
HEUN_EULER = SHIPPED["heun_euler"]
BOGACKI_SHAMPINE = {
    "order": 3,
    "embedded_order": 2,
    "c": [0, 0.5, 0.75, 1],
    "a": [[], [0.5], [0, 0.75], ["2/9", "1/3", "4/9"]],
    "b": ["2/9", "1/3", "4/9", 0],
    "b_embedded": ["7/24", 0.25, "1/3", 0.125],
}
KNOWN = {**SHIPPED, "bosh3": BOGACKI_SHAMPINE}
every_known = pytest.mark.parametrize("name", KNOWN)


def refused(**change):
    with pytest.raises(TableauError) as caught:
        parse({**RK4, **change})
    assert "\n" not in caught.value.message
    return caught.value.key, caught.value.message


@pytest.mark.parametrize(("size", "count"), list(enumerate([1, 1, 2, 4, 9, 20, 48, 115], start=1)))
def test_there_are_as_many_rooted_trees_as_are_known(size, count):
    assert len(set(trees(size))) == len(trees(size)) == count


@every_known
def test_a_known_method_has_its_order_and_no_more(name):
    tableau = parse(KNOWN[name])
    assert order_of(tableau.a, tableau.b) == KNOWN[name]["order"]
    if tableau.b_embedded:
        assert order_of(tableau.a, tableau.b_embedded) == KNOWN[name]["embedded_order"]


@every_known
def test_a_known_method_of_a_higher_order_than_its_own_is_refused(name):
    order = KNOWN[name]["order"]
    with pytest.raises(TableauError, match=f"the method has order {order}") as caught:
        parse({**KNOWN[name], "order": order + 1})
    assert caught.value.key == ("order",)


@every_known
@given(st.data())
def test_a_weight_that_is_off_is_caught(name, data):
    definition = KNOWN[name]
    i = data.draw(st.integers(0, len(definition["b"]) - 1))
    error = data.draw(st.sampled_from([1e-12, 1e-9, 1e-3, -1e-3, 1.0]))
    b = [str(Fraction(str(x))) for x in definition["b"]]
    b[i] = str(Fraction(b[i]) + Fraction(error))
    with pytest.raises(TableauError, match="fails by"):
        parse({**definition, "b": b})


@every_known
@given(st.data(), st.sampled_from([Fraction(1, 10**10), Fraction(-1, 1000)]))
def test_an_entry_that_is_off_together_with_its_node_is_caught(name, data, error):
    definition = KNOWN[name]
    i = data.draw(st.integers(1, len(definition["c"]) - 1))
    j = data.draw(st.integers(0, i - 1))
    a, c = [list(row) for row in definition["a"]], list(definition["c"])
    a[i][j] = str(Fraction(str(a[i][j])) + error)
    c[i] = str(Fraction(str(c[i])) + error)
    with pytest.raises(TableauError, match="fails by"):
        parse({**definition, "a": a, "c": c})


@given(st.integers(1, 3), st.sampled_from([1e-9, 1e-3, -0.5]))
def test_an_entry_that_is_off_is_caught_by_its_row_sum(row, error):
    a = [list(entries) for entries in RK4["a"]]
    a[row][0] = str(Fraction(str(a[row][0])) + Fraction(error))
    key, message = refused(a=a)
    assert key == ("c", row)
    assert "is not the sum of its row of a" in message


def test_a_wrong_embedded_order_is_refused():
    with pytest.raises(TableauError, match="order 1") as caught:
        parse({**HEUN_EULER, "embedded_order": 2})
    assert caught.value.key == ("embedded_order",)


def test_an_embedded_method_of_the_same_order_is_refused():
    with pytest.raises(TableauError, match="write weights of another order"):
        parse({**HEUN_EULER, "b_embedded": HEUN_EULER["b"], "embedded_order": 2})


def test_fractions_and_decimals_are_exact():
    tableau = parse({**RK4, "c": [0, 0.5, "0.5", 1.0]})
    assert tableau.c == (0, Fraction(1, 2), Fraction(1, 2), 1)
    assert tableau.b == (Fraction(1, 6), Fraction(1, 3), Fraction(1, 3), Fraction(1, 6))


@every_known
def test_coefficients_of_sixteen_digits_pass(name):
    definition = {**KNOWN[name], "a": [[*map(digits, row)] for row in KNOWN[name]["a"]]}
    definition |= {
        key: [*map(digits, KNOWN[name][key])]
        for key in ("b", "c", "b_embedded")
        if key in definition
    }
    exact, cut = parse(KNOWN[name]), parse(definition)
    assert (cut.order, cut.embedded_order, cut.is_fsal) == (
        exact.order,
        exact.embedded_order,
        exact.is_fsal,
    )


def digits(value):
    exact = Fraction(str(value))
    return str(Context(prec=16).divide(Decimal(exact.numerator), Decimal(exact.denominator)))


def test_a_third_of_three_digits_does_not_pass():
    key, message = refused(b=["1/6", 0.333, "1/3", "1/6"])
    assert key == ("order",)
    assert message == "the condition sum b_i = 1 fails by -0.00033; fix b"


@every_known
def test_an_order_below_the_true_one_is_refused(name):
    order = KNOWN[name]["order"]
    with pytest.raises(TableauError, match=f"the method has order {order}; write that") as caught:
        parse({**KNOWN[name], "order": order - 1})
    assert caught.value.key == ("order",)


def test_a_failing_condition_is_written_with_its_residual():
    key, message = refused(order=5)
    assert key == ("order",)
    # sum b c^4 is 5/24 under Simpson's rule
    assert message.startswith(
        "the condition sum b_i c_i^4 = 1/5 fails by 0.0083; the method has order 4: write that,"
    )


def test_no_two_conditions_are_written_alike_and_every_branch_has_its_own_index():
    written = [_condition(tree) for size in range(1, 9) for tree in trees(size)]
    assert len(set(written)) == len(written) == 200
    assert "sum b_i a_ij c_j a_ik c_k = 1/20" in written
    for condition in written:
        inner = re.findall(r"a_.(.)", condition)
        assert len(set(inner)) == len(inner)


@pytest.mark.parametrize(
    ("change", "key", "message"),
    [
        ({"a": [[], ["1/2"], [0, "1/2"], [0, 1]]}, ("a", 3), "write the 3 left of the diagonal"),
        (
            {"a": [[0], ["1/2"], [0, "1/2"], [0, 0, 1]]},
            ("a", 0),
            "write the 0 left of the diagonal",
        ),
        ({"b": ["1/2", "1/2"]}, ("b",), "there are 2 entries for 4 stages; write 4"),
        ({"c": [0, "1/2", 1]}, ("c",), "there are 3 entries for 4 stages; write 4"),
        ({"b": ["1/6", "third", "1/3", "1/6"]}, ("b", 1), "'third' is not a number"),
        ({"b": ["1/6", "1/0", "1/3", "1/6"]}, ("b", 1), "'1/0' is not a number"),
        ({"a": [[], ["half"], [0, "1/2"], [0, 0, 1]]}, ("a", 1, 0), "'half' is not a number"),
        ({"b": ["1/6", float("nan"), "1/3", "1/6"]}, ("b", 1), "is not a number"),
    ],
)
def test_a_malformed_tableau_is_told_where_it_is_wrong(change, key, message):
    found, told = refused(**change)
    assert found == key
    assert message in told


@pytest.mark.parametrize(
    ("name", "evaluations"),
    [("classic_rk4", 4), ("heun_euler", 2), ("bosh3", 3), ("tsit5", 6), ("ssprk3", 3)],
)
def test_evaluations_per_step_count_the_stage_that_the_next_step_reuses_once(name, evaluations):
    assert parse(KNOWN[name]).evaluations_per_step == evaluations


def test_a_last_row_that_repeats_the_weights_with_fewer_digits_is_the_field_at_the_new_point():
    rows = [*BOGACKI_SHAMPINE["a"][:-1], [digits(weight) for weight in BOGACKI_SHAMPINE["b"][:-1]]]
    assert parse({**BOGACKI_SHAMPINE, "a": rows}).evaluations_per_step == 3
