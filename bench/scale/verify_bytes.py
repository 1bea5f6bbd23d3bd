"""How many changed bytes `medctx-eval verify` notices, and how long it takes on a study of the size of `quick`.

    python -m bench.scale.verify_bytes --changes 1000

A report on four models of about 1,400 verdicts each is made first. Then single random bytes of journals, verdicts,
manifests, items, Books, report, decision and checksums are changed, one at a time. Exit code 1 where one is missed, or
verifying the unchanged report takes 10 s or more.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from medctx.errors import MedctxError
from medctx_eval.verify.recompute import verify_report
from tests.support import journalled_runs

SECONDS = 10.0
NAMES = ("base", "1:0-0", "1:1-0", "0:1-0")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    random = Random(chosen.seed)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        report = journalled_runs.write_with_report(root, NAMES, facts=30, dossiers=24)
        begin = time.perf_counter()
        check = verify_report(report)
        seconds = time.perf_counter() - begin
        print(f"{check.numbers:,} numbers, {check.verdicts:,} verdicts, {check.files} files: {seconds:.1f} s")
        files = [file for file in sorted(root.rglob("*")) if file.is_file() and file.suffix not in {".png", ".svg"}]
        changed, missed = Counter[str](), Counter[str]()
        for _ in range(chosen.changes):
            file = random.choice(files)
            original = file.read_bytes()
            content = bytearray(original)
            content[random.randrange(len(content))] ^= random.randrange(1, 256)
            file.write_bytes(content)
            changed[file.name] += 1
            try:
                verify_report(report)
            except MedctxError:
                pass
            else:
                missed[file.name] += 1
            file.write_bytes(original)
        for file_name, count in sorted(changed.items()):
            print(f"{file_name:16} {count:5} changed, {count - missed[file_name]:5} noticed")
        print(f"{chosen.changes} changed, {chosen.changes - missed.total()} noticed")
    raise SystemExit(1 if missed or seconds >= SECONDS else 0)


if __name__ == "__main__":
    main()
