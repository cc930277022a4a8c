"""Paths of a GPU on a pretended one: devices never mix, numbers are the processor's. What is packed
for a machine with a real one.
"""

import contextlib
import io
import re
import unittest.mock as mock
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from gpu import images, pack, paths, pretended
from PIL import Image
from test_configuration import plan

from uncanny.samplers import adaptive_ode
from uncanny.training import cuda_graphs

ROOT = Path(__file__).parent.parent

CUDA = torch.device("cuda:0")


@pytest.fixture(autouse=True)
def on_the_processor(monkeypatch):
    monkeypatch.setattr(paths, "on_the_processor", pretended.suspended)
    monkeypatch.setenv(cuda_graphs.VARIABLE, "0")  # there are no graphs


@pytest.mark.parametrize("name", paths.PATHS)
def test_a_path_runs_on_the_device(name):
    expected = paths.PATHS[name](torch.device("cpu"))
    with counted_attempts() as attempts, pretended.pretended() as log:
        result = paths.PATHS[name](CUDA)
    result = {key: pretended.numbers(value) for key, value in result.items()}
    assert log.kernels
    assert not paths.differing(paths.gaps(expected, result))
    if name.startswith(("sample", "guide", "inpaint")):
        assert repeated(log.waits, len(attempts)) == {}


STEPS = 4  # at least so many are taken in each path
ONCE = ("networks/building.py", "guidance/noisy_classifier.py")  # weights are copied one by one
ADAPTIVE = "samplers/adaptive_ode.py"
# Whether any image of a solver that chooses its steps is in the interval of guidance
INTERVAL = "guidance/classifier_free.py"


def repeated(waits, attempts):
    """Places where the host waits as often as there are steps; of a solver that chooses its steps,
    more often than at each of its attempts.
    """
    # Noise that is sent without waiting is none.
    result = {key: n for key, n in waits.items() if key[0] != "sent to the device"}
    allowed = sum(n for (_, place), n in result.items() if place.startswith(ADAPTIVE)) <= attempts
    return {
        (what, place): n
        for (what, place), n in result.items()
        if n >= STEPS
        and not any(file in place for file in ONCE)
        and not (allowed and place.startswith(ADAPTIVE))
        and not (attempts and INTERVAL in place)
    }


@contextlib.contextmanager
def counted_attempts():
    """A list with an entry for each step that the adaptive solver tries."""
    attempts, attempt = [], adaptive_ode._ActiveRows.attempt

    def counted(self):
        attempts.append(1)
        attempt(self)

    with mock.patch.object(adaptive_ode._ActiveRows, "attempt", counted):
        yield attempts


def test_a_wait_at_each_step_is_noticed():
    waits = {
        ("nonzero", "samplers/ddim.py:60 < sampling/drawing.py:59"): 5,
        ("to the device", "networks/building.py:48 < sampling/drawing.py:59"): 128,
        ("sent to the device", "runtime/hardware.py:57 < runtime/random_streams.py:88"): 5,
        ("to the processor", "sampling/drawing.py:192 < sampling/drawing.py:110"): 1,
        ("to the processor", "samplers/adaptive_ode.py:140 < samplers/adaptive_ode.py:50"): 9,
    }
    result = [place.split(":")[0] for _, place in repeated(waits, 9)]
    assert result == ["samplers/ddim.py"]
    assert len(repeated(waits, 8)) == 2


@pytest.mark.parametrize("model", paths.MODELS)
def test_an_update_neither_waits_nor_copies(model):
    """What the first updates copied stays on the device; only then can updates be captured."""
    with pretended.pretended() as log:
        begun = paths.Begun(model, CUDA)
        begun.advance(2)
        log.waits.clear()
        begun.advance(2)
    assert not log.waits


# --- The kit for a machine with a GPU and no network ---------------------------------------------


def pins(text):
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)$", text.lower(), re.M))


def test_the_wheels_are_those_of_the_requirements():
    packed = pins("\n".join(pack.pins()))
    required = pins((ROOT / "envs/requirements.txt").read_text())
    taken = {name: version for name, version in required.items() if name in packed}
    assert taken == {name: packed[name] for name in taken}
    assert set(required) - set(packed) <= pack.PROVIDED | pack.NOT_NEEDED
    assert not set(packed) & pack.PROVIDED


def test_images_come_back_byte_for_byte(tmp_path):
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        for number in range(5):
            written = io.BytesIO()
            pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(written, "JPEG", quality=90 + number % 2)
            file.writestr(f"train/{number % 2}/{number}.jpg", written.getvalue())
        file.writestr("train/0/", b"")
    assert images.pack(tmp_path / "a.zip", tmp_path / "packed") == 5
    assert images.unpack(tmp_path / "packed", tmp_path / "b.zip") == 5
    files = [
        {name: file.read(name) for name in file.namelist() if not name.endswith("/")}
        for file in map(zipfile.ZipFile, (tmp_path / "a.zip", tmp_path / "b.zip"))
    ]
    assert files[0] == files[1]
    assert (tmp_path / "packed").stat().st_size < (tmp_path / "a.zip").stat().st_size / 2


def test_the_study_of_the_kit_is_planned():
    study = plan(yaml.safe_load((ROOT / "tests/gpu/gpu_check.yaml").read_text()))
    assert study.name == "gpu_check"
