"""Snakemake profiles: reject keys without effect, merge command-line options into blocks."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from snakemake.cli import get_profile_dir, parse_set_ints, parse_set_resources
from snakemake.profiles import ProfileConfigFileParser
from snakemake.resources import Resource

from uncanny.study.yaml_rules import check_file

GPU_REQUEST = "gpu_request"  # a resource that a profile sets for all jobs: gpus or gres


def check(files: Sequence[Path], basedir: Path) -> None:
    """Raise ValueError, which names file and key, if a key of a profile has no effect.

    basedir: folder of the Snakefile, whose profiles/default applies to every run and takes
    precedence.
    """
    default = basedir / "profiles/default/profile.yaml"
    for path in (*files, default):
        check_file(path)
        _check_times(path)
    default_entries = _read(default)
    for path in files:
        for key, value in _read(path).items():
            if key in default_entries and value != default_entries[key]:
                raise ValueError(
                    f"{path}: {key}: {value!r} has no effect; {default} sets it to "
                    f"{default_entries[key]!r} and takes precedence"
                )


def paths(arguments: Sequence[str], environment: Mapping[str, str]) -> list[Path]:
    """Files of the profiles that `--profile` or the environment names."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--profile", default=environment.get("SNAKEMAKE_PROFILE", ""))
    names = parser.parse_known_args(list(arguments))[0].profile.split(",")
    profiles = [get_profile_dir(name) for name in names if name not in ("", "none")]
    return [path for _, path in filter(None, profiles)]


def merge(settings, paths: Sequence[Path]) -> None:
    """Merge `--set-resources` and `--set-threads` of the command line into those of the profiles,
    rule by rule and key by key. Snakemake itself uses only one of the two.

    settings: Snakemake's ResourceSettings, before any rule is read.
    """
    resources = settings._parsed_overwrite_resources
    threads = settings._parsed_overwrite_threads
    for path in paths:
        with path.open(encoding="utf-8") as file:
            entries = ProfileConfigFileParser().parse(file)
        for rule, merged in parse_set_resources(entries.get("set-resources")).items():
            merged.update(resources.get(rule, {}))
            resources[rule] = merged
        for rule, number in parse_set_ints(entries.get("set-threads"), str(path)).items():
            threads.setdefault(rule, Resource("_cores", number))


def gpu_resources(resources: Mapping) -> dict:
    """Changes to a job's resources for sites that need `--gres=gpu:1` instead of `--gpus=1`. A
    number of GPUs that is a function of wildcards gives such a function.

    Raises ValueError unless gpu_request is gpus or gres.
    """
    request = resources.get(GPU_REQUEST, "gpus")
    if request not in ("gpus", "gres"):
        raise ValueError(f"{GPU_REQUEST}: {request!r}; expected gpus or gres")
    number, model = resources.get("gpu"), resources.get("gpu_model")
    if request == "gpus" or number in (None, 0, "0"):
        return {}
    kind = f"gpu:{model}" if model else "gpu"

    def of_job(wildcards) -> str:
        return f"{kind}:{number(wildcards)}"

    gres = of_job if callable(number) else f"{kind}:{number}"
    return {"gpu": 0, "gres": gres} | ({"gpu_model": ""} if model else {})


def _check_times(path: Path) -> None:
    """Reject times such as 12:00:00, which YAML reads as sexagesimal: 43200, then minutes."""
    raw = _read(path, as_text=True)
    blocks = {"default-resources": raw.get("default-resources")}
    blocks |= {f"set-resources.{k}": v for k, v in (raw.get("set-resources") or {}).items()}
    for key, block in blocks.items():
        runtime = block.get("runtime") if isinstance(block, dict) else None
        if runtime and ":" in runtime:
            raise ValueError(f"{path}: {key}.runtime: {runtime}; expected minutes, or as in 12h")


def _read(path: Path, *, as_text: bool = False) -> dict:
    """Entries of a profile; as_text: every value as text."""
    try:
        text = path.read_text(encoding="utf-8")
        entries = yaml.load(text, Loader=yaml.BaseLoader) if as_text else yaml.safe_load(text)
    except (OSError, yaml.YAMLError):  # Snakemake reports these itself
        return {}
    return entries if isinstance(entries, dict) else {}
