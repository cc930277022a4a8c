"""How fast training, sampling and scoring are on this machine, in the time that there is.

PYTHONPATH=scripts:tests/benchmarks python tests/gpu/speed.py SECONDS FOLDER: each part runs if its time
is not up; FOLDER/speed.json is written after each. Ratios are of one part, measured in turns. Without a
GPU the parts run at the scale of digits, to show that they run.
"""

import contextlib
import dataclasses
import json
import os
import sys
import time
import unittest.mock as mock
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import harness
import limits
import numpy as np
import peers
import sample_as_published
import scales
import scoring_folder
import torch
import training_step

from uncanny.evaluation import features, neighbours
from uncanny.evaluation.extractors import Extractor
from uncanny.runtime import hardware, precision
from uncanny.runtime.random_streams import ImageStreams, image_seeds
from uncanny.sampling import drawing
from uncanny.training import cuda_graphs, gradients

DEVICE = hardware.device()
GPU = DEVICE.type == "cuda"
SCALE = scales.SCALES["cifar" if GPU else "digits"]
UPDATES = 4  # that are timed as one


def wait() -> None:
    if GPU:
        torch.cuda.synchronize()


def in_turns(calls: Mapping[str, Callable], least: float, rounds: int) -> dict[str, list[float]]:
    """Seconds of a call by name, one per round; in each round all take turns, after a warm-up, each
    for `least` seconds in all rounds together.
    """
    repeats, taken = {}, {name: [] for name in calls}
    for name, call in calls.items():
        call(0)
        wait()
        once = _seconds(call, 1)
        repeats[name] = max(1, int(least / rounds / max(once, 1e-4)))
    for _ in range(rounds):
        for name, call in calls.items():
            taken[name].append(_seconds(call, repeats[name]))
    return taken


def _seconds(call: Callable, repeats: int) -> float:
    started = time.perf_counter()
    for _ in range(repeats):
        call(0)
    wait()
    return (time.perf_counter() - started) / repeats


def median_seconds(call: Callable, least: float = 1.0) -> float:
    return float(np.median(in_turns({"it": call}, least, 5)["it"]))


# --- Training ------------------------------------------------------------------------------------


def rates(calls: Mapping[str, Callable], batch: int, least: float = 1.2, rounds: int = 5) -> dict:
    """By name: images per second (median), milliseconds of an update in each round, and the first's
    speed over that of each, round by round. Each call makes UPDATES updates.
    """
    taken = {name: np.array(t) / UPDATES for name, t in in_turns(calls, least, rounds).items()}
    first = next(iter(taken.values()))
    return {
        name: {
            "images_per_second": round(batch / float(np.median(result)), 1),
            "ms_per_update": np.round(1000 * result, 3).tolist(),
            "first_over_it": np.round(result / first, 3).tolist(),
        }
        for name, result in taken.items()
    }


def at(batch: int, level: str) -> scales.Scale:
    return dataclasses.replace(SCALE.of(batch), precision=level)


def training_table(level: str, batch: int, rounds: int = 5) -> dict:
    """Ours beside diffusers' at one batch and precision."""
    scale = at(batch, level)
    works = {"DDPM U-Net": scales.updates(scale, "discrete", DEVICE, UPDATES)}
    images = torch.from_numpy(scale.images()).to(DEVICE).float() / 127.5 - 1
    step, network = training_step.diffusers_step(scale, images)
    peers.assert_equal_size(works["DDPM U-Net"][1], network)

    def theirs(_):  # ours set their precision themselves
        for _ in range(UPDATES):
            with precision.computing(level, DEVICE):
                step(0)

    works["diffusers UNet2DModel"] = theirs, network
    works["DDPM++"] = scales.updates(scale, "continuous", DEVICE, UPDATES)
    result = rates({name: call for name, (call, _) in works.items()}, batch, rounds=rounds)
    for name, (call, network) in works.items():
        flops = training_step.work(call, network, scale).flops
        done = flops / batch * result[name]["images_per_second"]
        result[name]["tflops_per_second"] = round(done / 1e12, 2)
    if GPU:
        result["peak_memory_mb"] = round(torch.cuda.max_memory_allocated() / 2**20)
        torch.cuda.reset_peak_memory_stats()
    return result


def profiled(level: str, batch: int) -> dict:
    """Kernels of an update, and its time on the device beside that of the wall."""
    from torch.profiler import ProfilerActivity, profile

    call, _ = scales.updates(at(batch, level), "discrete", DEVICE, UPDATES)
    call(0)
    wait()
    with profile(activities=[ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * GPU) as prof:
        started = time.perf_counter()
        call(0)
        wait()
        wall = time.perf_counter() - started
    rows = prof.key_averages()
    kernels = [row for row in rows if str(row.device_type).endswith("CUDA")]
    spent = {row.key[:90]: row.self_device_time_total / 1000 / UPDATES for row in kernels}
    waits = {row.key: row.count / UPDATES for row in rows if "ynchronize" in row.key}
    return {
        "wall_ms": 1000 * wall / UPDATES,
        "device_ms": sum(spent.values()),
        "kernels": sum(row.count for row in kernels) / UPDATES,
        "waits": waits,
        "longest_ms": dict(sorted(spent.items(), key=lambda pair: -pair[1])[:14]),
    }


def _one_by_one(weights, limit):
    """Gradients searched and repaired one after the other."""
    gradients = [weight.grad for weight in weights]
    norm = torch.nn.utils.get_total_norm(gradients)
    for gradient in gradients:
        torch.nan_to_num_(gradient, nan=0.0, posinf=1e5, neginf=-1e5)
    torch.nn.utils.clip_grads_with_norm_(weights, limit, torch.nn.utils.get_total_norm(gradients))
    return norm


@contextlib.contextmanager
def replaced(owner, name: str, value):
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def within(change: Callable, call: Callable) -> Callable:
    def changed(number):
        with change():
            call(number)

    return changed


def changes(level: str, batch: int) -> dict:
    """One change each beside the code as it is."""
    scale = at(batch, level)

    def updates():
        return scales.updates(scale, "discrete", DEVICE, UPDATES)

    searched = partial(replaced, torch.backends.cudnn, "benchmark", True)
    free = partial(replaced, torch.backends.cudnn, "deterministic", False)
    with mock.patch.dict(
        os.environ, {cuda_graphs.VARIABLE: "0"}
    ):  # this decides when a training begins
        plain = updates()[0]
        plain(0)
    calls = {
        "as it is": updates()[0],
        "kernel by kernel": plain,
        "cudnn not deterministic": within(free, updates()[0]),
        "gradients one by one": within(
            partial(replaced, gradients, "repair_and_clip", _one_by_one), updates()[0]
        ),
        "cudnn.benchmark": within(searched, updates()[0]),
    }
    call, network = updates()
    network.to(memory_format=torch.channels_last)
    calls["channels_last"] = call
    call, network = updates()
    network.to(memory_format=torch.channels_last)
    calls["channels_last, cudnn.benchmark"] = within(searched, call)
    return rates(calls, batch)


def compiled(level: str, batch: int) -> dict:
    """Updates with the compiled network beside plain ones."""
    plain, _ = scales.updates(at(batch, level), "discrete", DEVICE, UPDATES)
    call, network = scales.updates(at(batch, level), "discrete", DEVICE, UPDATES)
    network.compile()
    started = time.time()
    call(0)
    wait()
    first = round(time.time() - started, 1)
    return rates({"compiled": call, "plain": plain}, batch) | {"first_seconds": first}


# --- Limits, sampling, scoring -------------------------------------------------------------------


def limits_table() -> dict:
    """10^12 operations or bytes per second."""
    result = {}
    for level in precision.PRECISIONS:
        dtype = torch.bfloat16 if level == "bf16" else torch.float32
        with precision.computing(level, DEVICE):
            for name, (call, amount) in limits.works(DEVICE, dtype).items():
                result[f"{level} {name}"] = round(amount / median_seconds(call, 0.3) / 1e12, 2)
    return result


def sampled(name: str, level: str, share: float, layout=torch.contiguous_format) -> dict:
    """Minutes of 10,000 images, from one batch and a share of the steps."""
    family, steps, options, published = sample_as_published.SAMPLERS[name]
    model = scales.model(SCALE, family, DEVICE)
    model.network.to(memory_format=layout)
    taken, count = max(2, round(share * steps)), model.batch_size if GPU else 4
    options = options | {"num_steps": taken, "precision": level}
    short, whole = (scales.sampler(family, o) for o in (options | {"num_steps": 2}, options))
    drawing.draw_images(model, short, image_seeds(1, 0, count))
    wait()
    started = time.perf_counter()
    drawn = drawing.draw_images(model, whole, image_seeds(0, 0, count))
    spent = time.perf_counter() - started
    minutes = spent / 60 * 10_000 / count * steps / taken
    result = {"batch": count, "steps": taken, "nfe": drawn.nfe, "seconds": round(spent, 3)}
    return result | {"minutes_of_10000": round(minutes, 2), "published_minutes": published}


def noise() -> dict:
    """Noise of a batch, generated on the processor by some threads, and its copy to the device."""
    count = 682 if GPU else 64
    like = torch.zeros(count, 3, 32, 32, dtype=torch.float64)
    copied = median_seconds(lambda _: like.to(DEVICE))
    before, result = torch.get_num_threads(), {}
    for number in (1, 2, 4, 8):
        torch.set_num_threads(number)
        streams = ImageStreams(image_seeds(0, 0, count))
        spent = median_seconds(lambda _, streams=streams: streams.noise(0, like))
        result[f"ms_with_{number}_threads"] = round(1000 * spent, 2)
        result[f"minutes_of_10000_images_1000_steps_with_{number}_threads"] = round(
            spent / count * 1e7 / 60, 1
        )
    torch.set_num_threads(before)
    return result | {"images": count, "ms_of_the_copy": round(1000 * copied, 2)}


def layouts(level: str) -> dict:
    """Sampling with channels first and last, kernels searched for or not."""
    result = {}
    for name, share in (("HEDM", 1.0), ("MARK", 0.06)):
        for layout in (torch.contiguous_format, torch.channels_last):
            for search in (False, True):
                with replaced(torch.backends.cudnn, "benchmark", search):
                    row = sampled(name, level, share, layout)
                key = f"{name}, {str(layout)[6:]}, benchmark {search}"
                result[key] = row["minutes_of_10000"]
    return result


def scored() -> dict:
    """Inception's images per second; nearest neighbours on the processor and on the device."""
    path, count = scoring_folder.random_weights(Path("/tmp/inception.pth")), 2048 if GPU else 16
    weights = torch.load(path)
    network = Extractor({"kind": "inception", "config": {}, "weights": weights}, str(DEVICE))
    path.unlink()
    images = np.random.default_rng(0).integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
    features.extract(network, images[:256], 256)
    started = time.perf_counter()
    features.extract(network, images, 256)
    result = {"inception_images_per_second": round(count / (time.perf_counter() - started))}
    n, m = (10_000, 50_000) if GPU else (50, 100)
    for where, share in (("cpu", 0.1), (DEVICE, 1.0)):
        x, y = (torch.randn(int(share * k), 2048, device=where) for k in (n, m))
        neighbours.nearest(x[:200], y[:200], 4)
        wait()
        started = time.perf_counter()
        neighbours.nearest(x, y, 4)
        wait()
        spent = (time.perf_counter() - started) / share**2
        result[f"neighbours_{n}_of_{m}_seconds_{where}"] = round(spent, 2)
    return result


# --- All of it -----------------------------------------------------------------------------------

SHARES = {"HEDM": 1.0, "EUL": 0.04, "STOc": 0.04, "MARK": 0.04}


def parts() -> dict[str, tuple[Callable, float]]:
    """Name -> (part, seconds that it needs at least), the most important first."""
    small, middle, large = (32, 128, 512) if GPU else (4, 8, 16)
    result = {"limits": (limits_table, 5)}
    for batch in (small, middle):
        for level in ("bf16", "tf32"):
            result[f"training {level} {batch}"] = lambda b=batch, p=level: training_table(p, b), 8
    result[f"changes bf16 {small}"] = lambda: changes("bf16", small), 8
    for level in ("bf16", "tf32"):
        for name, share in SHARES.items():
            result[f"sampling {level} {name}"] = (
                lambda n=name, p=level, s=share: sampled(n, p, s),
                6,
            )
    result["layouts bf16"] = lambda: layouts("bf16"), 30
    result[f"changes tf32 {middle}"] = lambda: changes("tf32", middle), 10
    result["scoring"] = scored, 8
    result["noise"] = noise, 5
    result[f"training bf16 {large}"] = lambda: training_table("bf16", large, 3), 10
    result[f"profile bf16 {small}"] = lambda: profiled("bf16", small), 4
    result[f"training fp32 {small}"] = lambda: training_table("fp32", small, 3), 8
    result["layouts tf32"] = lambda: layouts("tf32"), 30
    result["sampling fp32 MARK"] = lambda: sampled("MARK", "fp32", 0.03), 12
    result[f"profile tf32 {middle}"] = lambda: profiled("tf32", middle), 4
    result[f"compiled bf16 {middle}"] = lambda: compiled("bf16", middle), 100 if GPU else 20
    return result


def table(result: dict) -> str:
    lines = [
        "| training | DDPM images/s | diffusers | ours over theirs | DDPM++ |",
        "|---|---|---|---|---|",
    ]
    for name, part in result.items():
        if name.startswith("training") and "DDPM++" in part:
            ours, theirs, plus = (
                part[k]["images_per_second"]
                for k in ("DDPM U-Net", "diffusers UNet2DModel", "DDPM++")
            )
            lines.append(f"| {name[9:]} | {ours} | {theirs} | {ours / theirs:.2f} | {plus} |")
    lines += ["", "| sampling 10,000 images | minutes | published |", "|---|---|---|"]
    for name, part in result.items():
        if "minutes_of_10000" in part:
            lines.append(
                f"| {name[9:]} | {part['minutes_of_10000']} | {part['published_minutes']} |"
            )
    return "\n".join(lines)


def main() -> None:
    limit, folder, began = float(sys.argv[1]), Path(sys.argv[2]), time.time()
    folder.mkdir(parents=True, exist_ok=True)
    result = {}
    for name, (call, least) in parts().items():
        left, started = limit - (time.time() - began), time.time()
        if left < least:
            print(f"{name}: left out, {left:.0f} s left", flush=True)
            continue
        try:
            result[name] = call()
        except Exception as error:
            result[name] = {"error": f"{type(error).__name__}: {error}"[:500]}
        result[name]["took_seconds"] = round(time.time() - started, 1)
        record = {"machine": harness.machine(DEVICE), "parts": result}
        (folder / "speed.json").write_text(json.dumps(record, indent=1) + "\n")
        print(f"{name}: {json.dumps(result[name])[:700]}", flush=True)
        if GPU:
            torch.cuda.empty_cache()
    print(f"\n{table(result)}")


if __name__ == "__main__":
    main()
