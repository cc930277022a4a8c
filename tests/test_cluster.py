"""What is asked of a cluster before anything is submitted, with a stand-in for Slurm's answers."""

import os
import re
import shutil
from math import inf
from pathlib import Path

import pytest
import yaml
from test_workflow import clone, dry_run, snakemake

from uncanny.workflow import cluster, profiles
from uncanny.workflow.partition_file import minutes_of, read

ROOT = Path(__file__).parent.parent
SINFO = "cpu*|(null)|1-00:00:00\ngpu|gpu:a100:4(S:0-1)|8:00:00\ngpu|(null)|8:00:00\nlong|(null)|infinite\n"
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
    assert there.minutes == {"cpu": 1440, "gpu": 480, "long": inf}


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
        ({}, "train_model: would go to the default partition 'cpu': it offers no GPU"),
        ({"gpu": 0, "gres": "gpu:1"}, "train_model: would go to the default partition 'cpu'"),
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
    result = dict(re.findall(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", text, flags=re.M | re.S))
    made = re.findall(r"use rule (\w+) as (\w+) with", text)
    return result | {new: result[old] for old, new in made}


# -- time, size ------------------------------------------------------------------------------------

LONG = {"train_model": GPU | {"runtime": 720}, "draw_samples": GPU | {"runtime": 360}}


@pytest.mark.parametrize(
    ("resources", "file", "limit"),
    [
        (GPU, {"cpu": {}, "gpu": {"max_gpu": 1, "max_runtime": "3d"}}, 480),  # what Slurm gives
        (GPU, {"cpu": {}, "gpu": {"max_gpu": 1, "max_runtime": "4h"}}, 240),  # what the file says
        (CPU, {"cpu": {}, "gpu": {"max_gpu": 1}}, 1440),
        (CPU, {"cpu": {}, "long": {"max_runtime": "2-00"}}, 2880),  # the longest that takes it
        (GPU | {"slurm_partition": "gpu"}, None, 480),
        (CPU, None, 1440),  # the default partition
    ],
)
def test_a_job_may_ask_for_what_its_partitions_give(slurm, site, resources, file, limit):
    slurm()
    assert cluster.Site.of(file and site(**file)).time_limit(resources) == limit


def test_jobs_that_would_ask_for_more_are_said_in_one_line(slurm, site):
    slurm()
    messages = cluster.check(
        LONG | {"score": CPU | {"runtime": 60}}, site(cpu={}, gpu={"max_gpu": 1})
    )
    assert messages == ["partition 'gpu' limits jobs to 8 h: train_model (12 h) request that"]


def test_a_job_that_no_partition_takes_is_named(slurm, site):
    slurm()
    path = site(cpu={}, gpu={"max_gpu": 1, "max_mem_mb": 4000})
    with pytest.raises(
        ValueError, match=r"yaml: no partition fits train_model, which .*mem_mb=8000"
    ):
        cluster.check(JOBS, path)


def test_times_of_the_sites_file_mean_what_slurm_means(tmp_path):
    """YAML takes 8:00:00 for 28,800."""
    path = tmp_path / "partitions.yaml"
    path.write_text("partitions:\n  gpu: {max_runtime: 8:00:00, max_gpu: 1}\n")
    assert read(path)["gpu"]["max_runtime"] == 480


@pytest.mark.parametrize(
    ("text", "minutes"),
    {"480": 480, "8h": 480, "2d12h30m": 3630, "1-12:00:00": 2160, "08:00:00": 480, "1-12": 2160, "1.5h": 90}.items(),
)  # fmt: skip
def test_forms_of_time(text, minutes):
    assert minutes_of(text, "max_runtime") == minutes


@pytest.mark.parametrize("text", ["30:00", "8:00", "0", "3 weeks", "infinite", "true", ""])
def test_a_time_that_could_mean_two_things_is_refused(text):
    with pytest.raises(ValueError, match=r"^gpu: max_runtime: .*; expected"):
        minutes_of(text, "gpu: max_runtime")


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_gpus": 1}, "partition 'gpu': max_gpus: unknown limit; did you mean 'max_gpu'"),
        ({"max_mem_mb": "8GB"}, "max_mem_mb: '8GB'; expected a whole number"),
        ({"max_gpu": True}, "max_gpu: True; expected a whole number"),
        (None, "partition 'gpu': None; expected limits"),
    ],
)
def test_a_mistake_in_the_sites_file_is_named(site, limits, message):
    with pytest.raises(ValueError, match=rf"partitions\.yaml: .*{message}"):
        read(site(gpu=limits))


@pytest.mark.parametrize("text", ["", "cpu: {}", "partitions: [cpu]", "partitions: {"])
def test_what_is_no_file_of_partitions_is_named(tmp_path, text):
    (tmp_path / "site.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"site\.yaml: "):
        read(tmp_path / "site.yaml")


# -- the profile -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"gpu": 1}, {}),
        ({"gpu": 1, "gpu_request": "gres"}, {"gpu": 0, "gres": "gpu:1"}),
        ({"gpu": 2, "gpu_model": "a100", "gpu_request": "gres"}, {"gpu": 0, "gres": "gpu:a100:2", "gpu_model": ""}),
        ({"mem_mb": 1, "gpu_request": "gres"}, {}),
        ({"gpu": 1, "gpu_request": "gpus"}, {}),
    ],
)  # fmt: skip
def test_gpus_are_asked_for_in_the_words_of_the_site(asked, expected):
    assert profiles.gpu_resources(asked) == expected


def test_other_words_are_refused():
    with pytest.raises(ValueError, match=r"^gpu_request: 'tres'; expected gpus or gres"):
        profiles.gpu_resources({"gpu_request": "tres"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("set-resources: {a: {gpu: 0}}\njobs: 3\nset-resources: {b: {gpu: 0}}\n", "set-resources: stands twice, in lines 1 and 3"),
        ("scheduler: ilp\n", "scheduler: 'ilp' has no effect; .*default.* sets it to 'greedy' and takes precedence"),
        ("default-resources: {runtime: 12:00:00}\n", "default-resources.runtime: 12:00:00; expected minutes, or as in 12h"),
        ("set-resources: {train_model: {runtime: 8:00:00}}\n", "set-resources.train_model.runtime: 8:00:00; expected"),
    ],
)  # fmt: skip
def test_a_key_of_a_profile_without_effect_is_named(tmp_path, text, message):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"config\.yaml: {message}"):
        profiles.check([path], ROOT)


def test_the_profiles_that_are_shipped_have_no_such_key():
    for arguments in (["--profile", "slurm"], ["--profile=profiles/slurm"]):
        result = profiles.paths(arguments, {})
        assert [path.name for path in result] == ["config.yaml"]
        profiles.check(result, ROOT)
    assert profiles.paths(["--profile", "none"], {}) == []


@pytest.mark.workflow
def test_documented_options_add_to_the_documented_profile(tmp_path):
    """docs/cluster.md: more memory, other times; in the profile: --gres, kinds of GPU for times."""
    folder = clone(tmp_path)
    text = (folder / "profiles/slurm/config.yaml").read_text()
    switched = re.sub(r"^(  )# (gpu_request: gres)", r"\1\2", text, flags=re.M)
    switched = re.sub(r"^# (set-resources:|  time_\w+: {gpu_model)", r"\1", switched, flags=re.M)
    assert len(switched) < len(text) - 6
    (folder / "profiles/slurm/config.yaml").write_text(switched)
    options = re.search(
        r"`(--set-resources train_model.*?)`", (ROOT / "docs/cluster.md").read_text()
    )
    done = snakemake(folder, "all", "-n", "--profile", "slurm", *options[1].split())
    assert done.returncode == 0, done.stdout + done.stderr
    asked = dict(
        re.findall(r"^rule (\w+):.*?^    resources: (.*?)$", done.stdout, flags=re.M | re.S)
    )
    assert {"gpu=0", "gres=gpu:1", "runtime=2880", "mem_mb=16000"} <= set(
        asked["train_model"].split(", ")
    )
    assert {"gpu=0", "gres=gpu:a100:1"} <= set(asked["time_training"].split(", "))


def test_every_rule_of_the_cluster_says_what_it_needs():
    for name, rule in _rules().items():
        asked = "mem_mb=" in rule and "runtime=time_limit" in rule
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
