import csv

from solverproof.memory import COLUMNS, measure


def test_computing_activations_again_takes_a_fraction_of_the_memory_that_keeping_them_does(tmp_path):
    table = tmp_path / "memory.csv"
    measure(table, steps=(1, 32))
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    few_kept, many_kept, few_again, many_again = (float(row["megabytes"]) for row in rows)
    assert many_kept - few_kept > 3 * (many_again - few_again)
