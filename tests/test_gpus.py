"""GPUs of this machine: counted without torch, and one for each job."""

import json
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_configuration import TINY, plan

from uncanny.workflow import gpus, profiles
from uncanny.workflow.gpus import Places

SCRIPTS = Path(__file__).parent.parent / "scripts"


@pytest.fixture
def two(tmp_path, monkeypatch):
    """A machine with two GPUs."""
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / "driver" / name).mkdir(parents=True)
    monkeypatch.setattr(gpus, "DRIVER", tmp_path / "driver")
    monkeypatch.setattr(gpus.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.delenv(gpus.HIDDEN, raising=False)


class TestCount:
    def test_all_that_the_driver_has(self, two):
        assert gpus.visible({}) == ["0", "1"]

    @pytest.mark.parametrize(
        ("listed", "names"),
        [("1", ["1"]), ("0, 1", ["0", "1"]), ("", []), ("-1", []), ("1,-1,0", ["1"]), ("GPU-8932f937", ["GPU-8932f937"])],
    )  # fmt: skip
    def test_what_the_environment_lists_as_cuda_reads_it(self, two, listed, names):
        assert gpus.visible({gpus.HIDDEN: listed}) == names

    def test_none(self, monkeypatch, tmp_path):
        monkeypatch.setattr(gpus, "DRIVER", tmp_path / "none")
        monkeypatch.setenv("PATH", str(tmp_path))
        assert gpus.visible({}) == [] and gpus.places(1, {}) is None

    def test_the_tool_where_the_driver_has_no_folder(self, monkeypatch, tmp_path):
        monkeypatch.setattr(gpus, "DRIVER", tmp_path / "none")
        tool = tmp_path / "nvidia-smi"
        tool.write_text("#!/bin/sh\necho 'GPU 0: A'\necho 'GPU 1: B'\necho 'GPU 2: C'\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
        assert gpus.visible({}) == ["0", "1", "2"]

    def test_says_what_it_does(self, two):
        assert str(gpus.places(3, {})) == "2 GPUs (0, 1), 3 jobs at a time on each"
        assert str(gpus.places(1, {gpus.HIDDEN: "1"})) == "1 GPU (1), 1 job at a time on each"


def run_job(folder, jobs_per_gpu, log, seconds):
    os.environ[gpus.VARIABLE] = json.dumps(
        {"names": ["0", "1"], "jobs_per_gpu": jobs_per_gpu, "folder": folder}
    )
    gpus.enter({"gpu": 1}, {})
    with open(log, "a") as file:
        file.write(f"start {os.environ[gpus.HIDDEN]}\n")
    time.sleep(seconds)
    with open(log, "a") as file:
        file.write(f"end {os.environ[gpus.HIDDEN]}\n")


class TestPlaces:
    @pytest.mark.parametrize("jobs_per_gpu", [1, 2])
    def test_four_jobs_on_two_gpus(self, tmp_path, jobs_per_gpu):
        """Every job has one GPU, both are used alike, and never more jobs are on one than allowed."""
        log, context = tmp_path / "log", multiprocessing.get_context("spawn")
        arguments = (str(tmp_path / "locks"), jobs_per_gpu, str(log), 1.0)
        jobs = [context.Process(target=run_job, args=arguments) for _ in range(4)]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join(60)
        running = {"0": 0, "1": 0}
        most, starts = dict(running), dict(running)
        for line in log.read_text().splitlines():
            what, name = line.split()
            running[name] += 1 if what == "start" else -1
            starts[name] += what == "start"
            most[name] = max(most[name], running[name])
        assert starts == {"0": 2, "1": 2}
        assert all(count <= jobs_per_gpu for count in most.values())

    def test_the_second_job_goes_to_the_other_gpu(self, tmp_path):
        places = Places(["0", "1"], 2, str(tmp_path))
        assert [list(places.take()) for _ in range(4)] == [["0"], ["1"], ["0"], ["1"]]

    def test_a_job_with_two_gpus_has_a_place_on_each_or_none(self, tmp_path):
        places = Places(["0", "1", "2"], 2, str(tmp_path))
        assert list(places.take()) == ["0"]
        assert list(places.take(2)) == ["1", "2"]
        held = places.take(2)
        assert len(set(held)) == 2
        assert len(places._free(3)) == 1  # one place is left, which is kept by nobody here

    def test_a_job_that_must_wait_keeps_nothing(self, tmp_path, monkeypatch):
        places = Places(["0", "1"], 1, str(tmp_path))
        (lock,) = places.take().values()

        def pause(_):
            (free,) = places._free(1).values()  # the place on the other GPU is not kept meanwhile
            os.close(free)
            os.close(lock)

        monkeypatch.setattr(gpus.time, "sleep", pause)
        assert sorted(places.take(2)) == ["0", "1"]

    def test_more_gpus_than_there_are(self, tmp_path):
        with pytest.raises(ValueError, match="gpu=3; expected at most 2, the GPUs here"):
            Places(["0", "1"], 2, str(tmp_path)).take(3)

    def test_a_killed_job_gives_its_place_back(self, tmp_path):
        code = (
            "import time; from uncanny.workflow.gpus import Places; "
            f"print(*Places(['0'], 1, {str(tmp_path)!r}).take(), flush=True); time.sleep(60)"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code], cwd=SCRIPTS, stdout=subprocess.PIPE
        ) as job:
            assert job.stdout.readline() == b"0\n"
            assert gpus._locked(tmp_path / "0-0") is None
            job.kill()
        assert list(Places(["0"], 1, str(tmp_path)).take()) == ["0"]


class TestSeveralForOneModel:
    def changed(self, recipe, **config):
        training = {name: block | recipe for name, block in TINY["training"].items()}
        return TINY | {"training": training} | config

    def test_their_number_is_no_part_of_a_model(self):
        one, two = plan(TINY), plan(self.changed({"gpus": 2}, device="auto"))
        model = next(name for name in TINY["models"] if one.origin(name) == "trained")
        assert one.identity(model) == two.identity(model)
        assert (one.gpus(model), two.gpus(model)) == (1, 2)

    def test_an_order_is_part_of_a_model(self):
        model = next(iter(TINY["models"]))
        result = [
            plan(self.changed({"shuffle": name})).identity(model) for name in ("images", "blocks")
        ]
        assert result[0] == plan(TINY).identity(model)
        assert result[1]["training"]["shuffle"] == "blocks"

    @pytest.mark.parametrize(
        ("count", "device", "message"),
        [
            (3, "auto", r"training\.\w+\.gpus: 3; expected a divisor of batch_size 128"),
            (2, "cpu", r"training\.\w+\.gpus: 2, but device: cpu; expected device: auto, or 1 GPU"),
        ],
    )
    def test_a_number_that_does_not_fit(self, count, device, message):
        with pytest.raises(ValueError, match=message):
            plan(self.changed({"gpus": count}, device=device))

    def test_a_site_that_asks_for_them_as_gres(self):
        result = profiles.gpu_resources({"gpu": lambda wildcards: 4, "gpu_request": "gres"})
        assert (result["gpu"], result["gres"](None)) == (0, "gpu:4")


class TestJob:
    def test_of_a_study_on_the_processor_sees_no_gpu(self, monkeypatch):
        monkeypatch.setenv(gpus.HIDDEN, "0,1")
        gpus.enter({"gpu": 0}, {"device": "cpu"})
        assert os.environ[gpus.HIDDEN] == ""

    def test_without_a_request_keeps_what_it_sees(self, monkeypatch, tmp_path):
        monkeypatch.setenv(gpus.HIDDEN, "0,1")
        monkeypatch.setenv(gpus.VARIABLE, "")  # so that it is gone after the test
        gpus.offer(Places(["0"], 1, str(tmp_path)))
        gpus.enter({"mem_mb": 1}, {"device": "auto"})
        assert os.environ[gpus.HIDDEN] == "0,1"

    def test_does_not_import_torch(self):
        code = "import sys; from uncanny.workflow import gpus; gpus.visible({}); sys.exit('torch' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS).returncode == 0
