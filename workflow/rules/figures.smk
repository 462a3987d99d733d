rule figures:
    input:
        expand(f"{RESULTS}/evaluations/{{cell}}.csv", cell=CELLS),
