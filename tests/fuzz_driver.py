"""Snakemake's command line, many times over in forks of one process: it is imported once.

Arguments: folder, pairs of a config file and the file that takes what is printed. Prints the exit statuses.
"""

import os
import sys


def run(folder: str, config: str, printed: str) -> int:
    """Exit status of a dry run as from a terminal."""
    child = os.fork()
    if child == 0:
        output = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(folder)
        cli.main(["--dry-run", "--cores", "1", "--nolock", "all", "--configfile", config])
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    from snakemake import cli

    folder, *names = sys.argv[1:]
    pairs = zip(names[::2], names[1::2], strict=True)
    print(*(run(folder, *pair) for pair in pairs))
