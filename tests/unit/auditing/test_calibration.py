"""Verdicts, intervals and advice are wrong no more often than they say, by simulation.

`python tests/unit/auditing/test_calibration.py` prints the tables of docs/methods.md.
"""

from functools import cache

import numpy as np
import pytest

from solverproof.auditing.choosing import choosing, confirmed
from solverproof.auditing.intervals import paired_interval as newcombe
from solverproof.auditing.intervals import share_interval as clopper_pearson
from solverproof.auditing.verdict import Agreement

share_interval, paired_interval = cache(clopper_pearson), cache(newcombe)
RESAMPLES = 1000
ERROR = 0.05 + 2 * np.sqrt(0.05 * 0.95 / RESAMPLES)  # two standard errors of the simulation above
COVERED = 0.95 - 2 * np.sqrt(0.05 * 0.95 / RESAMPLES)
BORDERS = [(200, 0.05), (400, 0.01), (1000, 0.01), (1000, 0.05), (10_000, 0.01)]
PAIRS = [(0.9, 0.05, 0.02, 0.03), (0.97, 0.01, 0.01, 0.01), (0.5, 0.2, 0.05, 0.25)]


def verdicts(samples, accepted, seed=0):
    """Shares of PASS and FAIL where the true disagreement is what is accepted."""
    counts = np.random.default_rng(seed).binomial(samples, accepted, RESAMPLES)
    made = [
        Agreement("", count / samples, *share_interval(int(count), samples), accepted).verdict
        for count in counts
    ]
    return made.count("PASS") / RESAMPLES, made.count("FAIL") / RESAMPLES


def coverage(samples, share, seed=0):
    """How often Clopper and Pearson's interval holds a share."""
    counts = np.random.default_rng(seed).binomial(samples, share, RESAMPLES)
    ends = np.array([share_interval(int(count), samples) for count in counts])
    return np.mean((ends[:, 0] <= share) & (share <= ends[:, 1]))


def paired_coverage(samples, shares, seed=0):
    """How often Newcombe's interval holds a difference of paired shares."""
    tables = np.random.default_rng(seed).multinomial(samples, shares, RESAMPLES)
    ends = np.array([paired_interval(*map(int, table)) for table in tables])
    truth = shares[1] - shares[2]
    return np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1]))


def unsafe_advice(samples, accepted, safe, unsafe, seed=0):
    """How often a setting is confirmed whose true disagreement is above what is accepted.

    The unsafe ones are just above it, the safe ones never disagree; half of the time an unsafe
    setting seems the more accurate one. Each misses samples of its own.
    """
    random = np.random.default_rng(seed)
    wrong = 0
    for _ in range(RESAMPLES):
        shares = np.array([0.0] * safe + [accepted] * unsafe)
        misses = random.random((len(shares), samples)) < shares[:, None]
        errors = random.random(len(shares))

        def passes(i, half, misses=misses):
            seen = misses[i, half]
            return share_interval(int(seen.sum()), len(seen))[1] <= accepted

        found = confirmed(
            range(len(shares)), passes=passes, error=lambda i, _, errors=errors: errors[i]
        )
        wrong += any(i >= safe for i in found)
    return wrong / RESAMPLES


@pytest.mark.parametrize(("samples", "accepted"), BORDERS)
def test_on_the_border_neither_verdict_comes_out_more_often_than_in_one_of_twenty(
    samples, accepted
):
    passed, failed = verdicts(samples, accepted)
    assert passed <= 0.05
    assert failed <= 0.05


@pytest.mark.parametrize(("samples", "share"), BORDERS)
def test_an_interval_of_a_share_covers_at_least_as_often_as_it_says(samples, share):
    assert coverage(samples, share) >= COVERED


@pytest.mark.parametrize("shares", PAIRS)
@pytest.mark.parametrize("samples", [200, 1000])
def test_a_paired_interval_covers_at_least_as_often_as_it_says(samples, shares):
    assert paired_coverage(samples, shares) >= COVERED


@pytest.mark.parametrize(("safe", "unsafe"), [(0, 1), (0, 10), (5, 10)])
@pytest.mark.parametrize(("samples", "accepted"), [(1000, 0.01), (1000, 0.05)])
def test_unsafe_advice_on_the_border_is_rare(samples, accepted, safe, unsafe):
    assert unsafe_advice(samples, accepted, safe, unsafe) <= 0.05


def test_trying_one_after_the_other_until_one_passes_would_be_wrong_too_often():
    # what the order guards against: each of ten at full confidence, the first that passes counts
    random, wrong = np.random.default_rng(0), 0
    for _ in range(RESAMPLES):
        counts = random.binomial(500, 0.05, (10, 2))
        wrong += any(
            all(share_interval(int(half), 500)[1] <= 0.06 for half in pair) for pair in counts
        )
    assert wrong / RESAMPLES > 0.05


def test_samples_too_few_to_confirm_anything_choose_together():
    assert choosing(400, 0.01, 0.95) == slice(None)
    assert choosing(1000, 0.01, 0.95) == slice(0, None, 2)
    assert choosing(1, 0.01, 0.95) == slice(None)


def main():
    """Print the tables."""
    for samples, accepted in BORDERS:
        passed, failed = verdicts(samples, accepted)
        print(f"| {samples:,} | {accepted:.0%} | {passed:.1%} | {failed:.1%} | "
              f"{coverage(samples, accepted):.1%} |")  # fmt: skip
    for shares in PAIRS:
        found = " | ".join(f"{paired_coverage(n, shares):.1%}" for n in (200, 1000))
        print(f"| {shares[1]:.0%} | {shares[2]:.0%} | {found} |")
    for safe, unsafe in [(0, 1), (0, 10), (5, 10)]:
        found = " | ".join(f"{unsafe_advice(1000, a, safe, unsafe):.1%}" for a in (0.01, 0.05))
        print(f"| {safe} | {unsafe} | {found} |")


if __name__ == "__main__":
    main()
