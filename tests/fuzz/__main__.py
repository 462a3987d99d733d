"""Cases of bad input, drawn at random, until their number is reached.

    python -m tests.fuzz --cases 20000 --seed 0

Case number i of a seed is the same always. Add what is found to the corpus, which `make test` runs:
--found tests/fuzz/corpus.jsonl
"""

import argparse
import random
import resource
import sys
import time
from collections import Counter
from pathlib import Path

from tests.fuzz import calls, configurations, data
from tests.fuzz.attempt import defect

KINDS = {
    "configurations by the schema": (configurations.by_schema, 6),
    "configurations by bytes": (configurations.by_bytes, 3),
    "code of one's own": (configurations.code, 1),
    "methods": (configurations.methods, 2),
    "tables": (data.tables, 3),
    "archives": (data.archives, 3),
    "images": (data.images, 1),
    "audits": (calls.audits, 1),
    "records of audits": (calls.records, 2),
    "stages": (calls.stages, 2),
    "words": (calls.words, 3),
}
ADDRESS_SPACE = 12 * 2**30


def main():
    """Run the campaign; the exit status is 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=KINDS, help="this kind only")
    parser.add_argument("--found", type=Path, help="file that defects are added to")
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    kinds = {args.kind: KINDS[args.kind]} if args.kind else KINDS
    weights = [weight for _, weight in kinds.values()]
    counts, found, started = Counter(), Counter(), time.monotonic()
    for number in range(args.first, args.first + args.cases):
        draw = random.Random(f"{args.seed} {number}")
        (kind,) = draw.choices(list(kinds), weights)
        case = kinds[kind][0](draw)
        counts[kind] += 1
        if wrong := defect(case):
            signature = f"{kind}: {wrong}"
            found[signature] += 1
            if found[signature] == 1:
                print(f"{number}: {signature}", flush=True)
                if args.found:
                    with args.found.open("a", encoding="utf-8") as file:
                        print(case.to_json(), file=file)
    print(f"seed {args.seed}, {args.cases} cases in {time.monotonic() - started:.0f} s")
    for kind, count in counts.items():
        print(f"    {kind}: {count}")
    print(f"{found.total()} defects, {len(found)} of them different")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
