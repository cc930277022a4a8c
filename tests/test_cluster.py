"""What is asked of a cluster before anything is submitted, with a stand-in for Slurm's answers."""

import os
import re
import shutil
from pathlib import Path

import pytest
import yaml
from test_workflow import clone, dry_run, snakemake

from uncanny import cluster

ROOT = Path(__file__).parent.parent
SINFO = "cpu*|(null)\ngpu|gpu:a100:4(S:0-1)\ngpu|(null)\nlong|(null)\n"
GPU, CPU = {"gpu": 1, "mem_mb": 8000}, {"mem_mb": 2000}
JOBS = {"prepare_dataset": CPU, "train_model": GPU}


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A function that puts Slurm's programs on the path; sinfo gives the answer."""

    def put(answer=SINFO, status=0, programs=cluster.PROGRAMS):
        stream = 1 if status == 0 else 2
        for name in programs:
            script = f"#!/bin/sh\nprintf '%s' '{answer}' >&{stream}\nexit {status}\n"
            (tmp_path / name).write_text(script)
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv(cluster.VARIABLE, raising=False)

    return put


@pytest.fixture
def site(tmp_path):
    """A function that writes a file of partitions."""

    def write(**partitions):
        path = tmp_path / "partitions.yaml"
        path.write_text(yaml.safe_dump({"partitions": partitions}))
        return path

    return write


def test_a_site_that_fits_is_taken(slurm, site):
    slurm()
    cluster.check(JOBS, site(cpu={}, gpu={"max_gpu": 4}))
    cluster.check({"train_model": GPU | {"slurm_partition": "long,gpu"}}, None)
    cluster.check({"prepare_dataset": CPU}, None)


def test_several_kinds_of_nodes_make_one_partition(slurm):
    slurm()
    there = cluster.partitions()
    assert there.gpus == {"cpu": False, "gpu": True, "long": False}
    assert there.default == "cpu"


@pytest.mark.parametrize(
    ("partitions", "message"),
    [
        ({"cpu": {}, "gpux": {"max_gpu": 1}}, "no partition 'gpux' on this cluster; it has cpu, gpu, long"),
        ({"cpu": {}, "gpu": {}}, r"no partition has max_gpu, but jobs need a GPU \(train_model\); .* offer one: gpu$"),
        ({"cpu": {"max_gpu": 1}}, "partition 'cpu' has max_gpu: it offers no GPU; partitions that do: gpu"),
        ({}, "no partition has max_gpu"),
    ],
)  # fmt: skip
def test_a_site_that_does_not_fit_is_named(slurm, site, partitions, message):
    slurm()
    with pytest.raises(ValueError, match=rf"partitions\.yaml: .*{message}"):
        cluster.check(JOBS, site(**partitions))


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"slurm_partition": "fast"}, "train_model: slurm_partition: no partition 'fast'"),
        ({"slurm_partition": "cpu"}, "train_model: slurm_partition 'cpu': it offers no GPU; partitions that do: gpu"),
        ({}, "train_model: go to the default partition 'cpu': it offers no GPU"),
        ({"gpu": 0, "gres": "gpu:1"}, "train_model: go to the default partition 'cpu'"),
    ],
)  # fmt: skip
def test_a_job_without_a_place_is_named(slurm, resources, message):
    slurm()
    with pytest.raises(ValueError, match=message):
        cluster.check({"train_model": GPU | resources}, None)


def test_partitions_of_another_cluster_are_not_looked_for(slurm, site):
    slurm()
    cluster.check(JOBS, site(gpu={"max_gpu": 1}, far={"cluster": "other", "max_gpu": 8}))


def test_the_variable_names_the_file_where_no_option_does(slurm, site, monkeypatch):
    slurm()
    monkeypatch.setenv(cluster.VARIABLE, str(site(gpux={"max_gpu": 1})))
    with pytest.raises(ValueError, match="no partition 'gpux'"):
        cluster.check(JOBS, None)


def test_without_slurm_the_message_says_what_to_do(slurm):
    slurm(programs=["sinfo"])
    with pytest.raises(ValueError, match=r"^no sbatch, .* on this machine: .*without it, jobs run"):
        cluster.check(JOBS, None)


def test_a_slurm_that_is_down_says_so(slurm):
    slurm("slurm_load_partitions: Unable to contact slurm controller", status=1)
    with pytest.raises(ValueError, match="Slurm does not answer: slurm_load_partitions: Unable"):
        cluster.check(JOBS, None)


def _rules():
    """Text of each rule, by name; one that another is made from stands for both."""
    text = "\n".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    found = dict(re.findall(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", text, flags=re.M | re.S))
    made = re.findall(r"use rule (\w+) as (\w+) with", text)
    return found | {new: found[old] for old, new in made}


def test_the_variant_for_generic_resources_names_all_rules_with_a_gpu():
    text = (ROOT / "profiles/slurm/config.yaml").read_text()
    block = text.split("what stands in the rules:\n")[1].split("\n\n")[0]
    variant = yaml.safe_load(re.sub(r"^# ?", "", block, flags=re.M))["set-resources"]
    assert set(variant) == {name for name, rule in _rules().items() if "gpu=1" in rule}
    assert all(resources == {"gpu": 0, "gres": "gpu:1"} for resources in variant.values())


def test_every_rule_of_the_cluster_says_what_it_needs():
    for name, rule in _rules().items():
        asked = "mem_mb=" in rule and "runtime=hours(" in rule
        assert asked or "localrule: True" in rule, name


def test_the_default_profile_limits_no_cluster():
    default = yaml.safe_load((ROOT / "profiles/default/profile.yaml").read_text())
    site = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    assert not {"resources", "default-resources", "jobs"} & set(default)
    assert not set(default) & set(site)  # of a key in both, only the default profile's is used


def test_the_profile_is_found_by_its_name():
    assert (ROOT / "slurm/config.yaml").samefile(ROOT / "profiles/slurm/config.yaml")


@pytest.mark.workflow
def test_without_slurm_there_is_one_message(tmp_path):
    """Whether or not this machine has Slurm's programs."""
    folder = clone(tmp_path)
    (folder / "bin").mkdir()
    for name in ("bash", "sh", "which"):
        (folder / "bin" / name).symlink_to(shutil.which(name))
    done = snakemake(
        folder,
        "figure_2",
        "--profile",
        "slurm",
        environment=os.environ | {"PATH": str(folder / "bin")},
    )
    assert done.returncode != 0
    text = done.stdout + done.stderr
    assert text.count("no sbatch") == 1
    assert "Traceback" not in text


PREPARED = "results/{}/datasets/{}/dataset.json"


@pytest.mark.workflow
def test_the_profile_runs_the_study_paper_unless_another_is_named(tmp_path):
    folder = clone(tmp_path)
    profile = ["--profile", "slurm"]
    assert dry_run(folder, PREPARED.format("paper", "cifar10"), *profile, config=None) == {
        "prepare_dataset": 1
    }
    assert dry_run(folder, PREPARED.format("tiny", "digits"), *profile) == {"prepare_dataset": 1}
