import csv

import pytest

from solverproof.benchmarks.memory import Peak, measure
from solverproof.files import columns


@pytest.mark.slow
def test_activations_computed_again_or_not_at_all_take_less_memory_than_those_kept(tmp_path):
    table = tmp_path / "memory.csv"
    measure(table, steps=(32,))
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == columns(Peak)
    kept, again, adjoint = (float(row["megabytes"]) for row in rows)
    assert 50 < 1.5 * again < kept
    assert 50 < 1.5 * adjoint < kept
