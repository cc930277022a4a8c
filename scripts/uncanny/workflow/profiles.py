"""Snakemake profiles: refuse keys without effect, add options of the command line to blocks."""

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
    """Raise ValueError that names file and key, where a profile's key has no effect.

    basedir: folder of the Snakefile, whose profiles/default is read by every run and wins.
    """
    default = basedir / "profiles/default/profile.yaml"
    for path in (*files, default):
        check_file(path)
        _check_times(path)
    wins = _read(default)
    for path in files:
        for key, value in _read(path).items():
            if key in wins and value != wins[key]:
                raise ValueError(f"{path}: {key}: {value!r}; {default} says {wins[key]!r} and wins")


def paths(arguments: Sequence[str], environment: Mapping[str, str]) -> list[Path]:
    """Files of the profiles that `--profile` names, or the environment."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--profile", default=environment.get("SNAKEMAKE_PROFILE", ""))
    names = parser.parse_known_args(list(arguments))[0].profile.split(",")
    found = [get_profile_dir(name) for name in names if name not in ("", "none")]
    return [path for _, path in filter(None, found)]


def composed(settings, paths: Sequence[Path]) -> None:
    """Have `--set-resources` and `--set-threads` of the command line add to those of the profiles,
    rule by rule and key by key, where Snakemake takes one or the other.

    settings: Snakemake's ResourceSettings, before any rule is read.
    """
    resources = settings._parsed_overwrite_resources
    threads = settings._parsed_overwrite_threads
    for path in paths:
        with path.open(encoding="utf-8") as file:
            entries = ProfileConfigFileParser().parse(file)
        for rule, more in parse_set_resources(entries.get("set-resources")).items():
            more.update(resources.get(rule, {}))
            resources[rule] = more
        for rule, number in parse_set_ints(entries.get("set-threads"), str(path)).items():
            threads.setdefault(rule, Resource("_cores", number))


def gpu_resources(resources: Mapping) -> dict:
    """Changes to a job's resources where the site knows `--gres=gpu:1` and not `--gpus=1`.

    ValueError for another value of gpu_request than these two.
    """
    words = resources.get(GPU_REQUEST, "gpus")
    if words not in ("gpus", "gres"):
        raise ValueError(f"{GPU_REQUEST}: {words!r}; expected gpus or gres")
    number, model = resources.get("gpu"), resources.get("gpu_model")
    if words == "gpus" or number in (None, 0, "0"):
        return {}
    if model:
        return {"gpu": 0, "gpu_model": "", "gres": f"gpu:{model}:{number}"}
    return {"gpu": 0, "gres": f"gpu:{number}"}


def _check_times(path: Path) -> None:
    """YAML takes 12:00:00 for a number to the base of 60, which would be minutes."""
    raw = _read(path, as_text=True)
    blocks = {"default-resources": raw.get("default-resources")}
    blocks |= {f"set-resources.{k}": v for k, v in (raw.get("set-resources") or {}).items()}
    for where, block in blocks.items():
        runtime = block.get("runtime") if isinstance(block, dict) else None
        if runtime and ":" in runtime:
            raise ValueError(f"{path}: {where}.runtime: {runtime}; expected minutes, or as in 12h")


def _read(path: Path, *, as_text: bool = False) -> dict:
    """The entries of a profile; as_text: without YAML's own types."""
    try:
        text = path.read_text(encoding="utf-8")
        found = yaml.load(text, Loader=yaml.BaseLoader) if as_text else yaml.safe_load(text)
    except (OSError, yaml.YAMLError):  # Snakemake has said so
        return {}
    return found if isinstance(found, dict) else {}
