"""Watch a run: python scripts/watch.py [results/STUDY]. Read-only; Ctrl-C ends it."""

import contextlib
import sys
import time
from pathlib import Path

from uncanny.workflow import watching

CLEAR = "\033[H\033[J"
SECONDS = 2.0


def main(results: str = "results/digits", times: int | None = None) -> None:
    """Show the run repeatedly. times: how often, None until interrupted."""
    if not Path(results).is_dir():
        sys.exit(f"watch: {results}: no such folder; expected a study's folder, results/STUDY")
    while times is None or times > 0:
        lines = watching.view(Path(results), Path(".snakemake"), time.time())
        print((CLEAR if sys.stdout.isatty() else "") + "\n".join(lines), flush=True)
        times = None if times is None else times - 1
        if times != 0:
            time.sleep(SECONDS)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(*sys.argv[1:2])
