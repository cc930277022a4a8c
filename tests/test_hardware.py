"""Threads and memory of a job: as many as it was given, and freed memory used again."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from uncanny.runtime import hardware

SCRIPTS = Path(__file__).parent.parent / "scripts"
FAULTS = """
import resource, sys, torch
from uncanny.runtime import hardware
if sys.argv[1] == "kept":
    hardware.device()
torch.set_num_threads(1)
parts = [torch.nn.Conv2d(16, 32, 3, padding=1), torch.nn.GroupNorm(4, 32), torch.nn.SiLU(),
         torch.nn.Conv2d(32, 16, 3, padding=1)] * 4
network, x = torch.nn.Sequential(*parts), torch.randn(400, 16, 8, 8)
with torch.no_grad():
    network(x)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(60):
        network(x)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how):
    done = subprocess.run(
        [sys.executable, "-c", FAULTS, how], cwd=SCRIPTS, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_a_job_keeps_to_its_threads():
    np.linalg.inv(np.eye(3))
    hardware.device(1)
    assert torch.get_num_threads() == 1
    blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert blas and set(blas) == {1}


def test_freed_memory_is_used_again():
    """Pages that the system has to hand out again for ten tensors of 3 MB, a hundred times."""
    assert faults("kept") < faults("given back") / 4


def test_peak_memory_is_that_of_the_process():
    cpu = torch.device("cpu")
    peak = hardware.peak_memory_mb(cpu)
    assert peak == resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.fixture
def unusable_gpu(tmp_path, monkeypatch):
    """A driver that shows a GPU which CUDA does not start."""

    def init():
        raise RuntimeError("The NVIDIA driver on your system is too old\n(found version 11040).")

    (tmp_path / "gpus" / "0000:01:00.0").mkdir(parents=True)
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX Kernel Module 470.57\nGCC\n")
    monkeypatch.setattr(hardware, "GPUS", tmp_path / "gpus")
    monkeypatch.setattr(hardware, "DRIVER", tmp_path / "version")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", init)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_a_gpu_that_cuda_does_not_start_is_refused(unusable_gpu):
    with pytest.raises(ValueError, match=r"too old \(found version 11040\)\.; .* 470\.57") as error:
        hardware.device()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_a_gpu_that_is_hidden_is_not_missed(unusable_gpu, monkeypatch, hidden):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert hardware.device().type == "cpu"


def test_without_a_gpu_the_processor_computes(unusable_gpu, tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "GPUS", tmp_path / "none")
    assert hardware.device().type == "cpu"
