"""A record of a benchmark as Markdown."""

HEADER = (
    "| what | ms | ours / it | ours / it, processor | GFLOP | of the limit | not equal in |\n"
    "|---|---|---|---|---|---|---|\n"
)


def table(record: dict) -> str:
    """Where and how, the machine's limits, one line per work. Medians, quartiles in parentheses."""
    where = record["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items())
    limits = ", ".join(
        f"{name} {quartiles['processor'][1] / 1e9:.1f} {'GB/s' if name == 'memory' else 'GFLOP/s'}"
        for name, quartiles in record["limits"].items()
    )
    rows = "".join(_line(name, row) for name, row in record["rows"].items())
    return (
        f"### {record['benchmark']}, {record['scale']} scale, batch {record['batch']}\n\n"
        f"{where['date']}, {where['processor']}, device {where['device']}, {where['threads']} "
        f"thread(s), load {where['load']:.1f}, {record['rounds']} rounds, peak memory "
        f"{where['peak_memory_mb']} MB; {versions}.\n\n"
        f"Limits, processor clock: {limits}.\n\n{HEADER}{rows}"
    )


def _line(name: str, row: dict) -> str:
    wall, processor = (row["ours_over_it"][clock] for clock in ("wall", "processor"))
    gflop, reached = f"{row['gflop']:.2f}", f"{row['of_limit']['processor'][1]:.0%}"
    if not row["gflop"]:
        gflop = reached = ""
    milliseconds = [1000 * value for value in row["time"]["processor"]]
    cells = [name, quartiles(milliseconds), quartiles(wall), quartiles(processor)]
    return "| " + " | ".join([*cells, gflop, reached, row["note"]]) + " |\n"


def quartiles(values: list[float]) -> str:
    low, middle, high = (f"{value:.3g}" for value in values)
    return f"{middle} ({low} to {high})"
