"""Run a rule's script as a job: log, benchmark record, and one message if it fails."""

import importlib.util
import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from uncanny.workflow import gpus


def run(script: str, snakemake) -> None:
    """Run `main(snakemake)` of a script; exit with its status."""
    sys.exit(execute(script, snakemake))


def arguments(snakemake, *names: str) -> dict:
    """Arguments of a job's function: its inputs by name, None for what is not there and of a
    dataset the folder; its outputs by name, or `output`; params of these names, and wildcards of
    them, which are numbers.
    """
    inputs = {name: path or None for name, path in snakemake.input.items()}
    if inputs.get("dataset"):
        inputs["dataset"] = Path(inputs["dataset"]).parent
    outputs = dict(snakemake.output.items()) or {"output": snakemake.output[0]}
    return inputs | outputs | {name: _argument(snakemake, name) for name in names}


def _argument(snakemake, name: str) -> object:
    if hasattr(snakemake.params, name):
        return getattr(snakemake.params, name)
    return int(getattr(snakemake.wildcards, name))


def classifiers(snakemake, names: Sequence[str]) -> dict[str, str]:
    """Files of the classifiers among a job's inputs, by their names."""
    return dict(zip(names, snakemake.input.get("classifiers") or [], strict=True))


def execute(script: str, snakemake) -> int:
    """Run `main(snakemake)` of a script; return the exit status.

    Output goes to the rule's log, as does the traceback of an error, of which one line goes to
    standard error. Time and memory are recorded under benchmarks/ (see `benchmark_of`).
    """
    log = Path(snakemake.log[0])
    log.parent.mkdir(parents=True, exist_ok=True)
    started, cpu = time.time(), _cpu_seconds()
    with log.open("w", buffering=1) as file, redirect_stdout(file), redirect_stderr(file):
        error = _attempt(script, snakemake)
    if error is not None:
        print(f"{snakemake.rule}: {error} (log: {log})", file=sys.stderr, flush=True)
        return 1
    _write_benchmark(log, time.time() - started, _cpu_seconds() - cpu)
    return 0


def _attempt(script: str, snakemake) -> str | None:
    try:
        resources = getattr(snakemake, "resources", {})
        gpus.enter(dict(resources.items()), getattr(snakemake, "config", None) or {})
        _check_dataset(snakemake)
        _load(script).main(snakemake)
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        expected = isinstance(error, ValueError | OSError | SystemExit)
        return str(error) if expected else f"{type(error).__name__}: {error}"
    return None


def _check_dataset(snakemake) -> None:
    """Check, before the job's own work, that its dataset has what the study requires of it."""
    path, config = snakemake.input.get("dataset"), getattr(snakemake, "config", None)
    if path and config:
        from uncanny.study.checks import data as checks_data
        from uncanny.study.study import Study

        checks_data.check_prepared(Study(config), Path(path).parent)


def _load(script: str):
    spec = importlib.util.spec_from_file_location(Path(script).stem, script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _cpu_seconds() -> float:
    return sum(os.times()[:4])


def benchmark_of(log: Path) -> Path:
    """results/STUDY/logs/RULE/….log → results/STUDY/benchmarks/RULE/….json."""
    names = ["benchmarks" if name == "logs" else name for name in log.parts]
    return Path(*names).with_suffix(".json")


def _write_benchmark(log: Path, seconds: float, cpu: float) -> None:
    path = benchmark_of(log)
    path.parent.mkdir(parents=True, exist_ok=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    record = {
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu, 3),
        "peak_memory_mb": round(peak, 1),
    }
    path.write_text(json.dumps(record) + "\n", encoding="utf-8")
