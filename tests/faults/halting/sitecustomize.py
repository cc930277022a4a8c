"""A disk that stops at one file: the process that writes it waits there, to be killed or let go.

Every process of a run imports this by itself, from PYTHONPATH. UNCANNY_HALT: a pattern of the final
path, how far the writing has come, and a path at which the process that waits leaves its id.
"""

import fnmatch
import os
import time
from pathlib import Path

WRITTEN = {"begun": 0.0, "half": 0.5, "whole": 1.0}  # of the temporary file; else it has its name
PATTERN, MOMENT, MARK = os.environ.get("UNCANNY_HALT", "\n\n").split("\n")
replace = os.replace


def halting(source, target, **options):
    """os.replace, but for the first file that fits the pattern."""
    if not fnmatch.fnmatch(os.fspath(target), PATTERN) or not claimed():
        return replace(source, target, **options)
    if MOMENT in WRITTEN:
        content = Path(source).read_bytes()
        os.truncate(source, int(WRITTEN[MOMENT] * len(content)))
        halt()
        Path(source).write_bytes(content)
    replace(source, target, **options)
    if MOMENT not in WRITTEN:
        halt()
    return None


def claimed():
    """Whether nobody has stopped before."""
    try:
        os.close(os.open(MARK, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def halt():
    with open(f"{MARK}.new", "w") as file:
        file.write(str(os.getpid()))
    replace(f"{MARK}.new", MARK)
    while not os.path.exists(f"{MARK}.go"):
        time.sleep(0.02)


if PATTERN:
    os.replace = halting
