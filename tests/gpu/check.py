"""Every path of paths.py on the GPU beside the processor: does it run, are the numbers the same, where
does the host wait?

PYTHONPATH=scripts:tests python tests/gpu/check.py SHARD/SHARDS FOLDER writes FOLDER/check-SHARD.json and prints a line per path;
`processes` in place of the shard checks what needs processes of its own. Without a GPU all paths run
on the processor twice.
"""

import collections
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
import unittest.mock as mock
import warnings
from pathlib import Path

import torch
from gpu import paths

from uncanny.runtime import hardware, random_streams
from uncanny.sampling import drawing
from uncanny.training import cuda_graphs

SCRIPTS = Path(hardware.__file__).resolve().parents[1]
DEVICE = hardware.device()
GPU = DEVICE.type == "cuda"

# --- The same draws on both devices --------------------------------------------------------------


class _Generator(torch.Generator):
    """Draws on the processor, whatever device it was made for."""

    def __new__(cls, device="cpu"):
        made = super().__new__(cls)
        made.asked = torch.device(device)
        return made

    def __init__(self, device="cpu"):
        pass

    device = property(lambda self: self.asked)

    def manual_seed(self, seed):
        super().manual_seed(seed)
        return self


def _drawn(make):
    def draw(*args, generator=None, device=None, **kwargs):
        if generator is None:
            return make(*args, device=device, **kwargs)
        return make(*args, generator=generator, **kwargs).to(device or "cpu")

    return draw


def compared(path) -> dict:
    """Gaps between processor and device, both given the same draws."""
    with contextlib.ExitStack() as stack:
        for name in ("randn", "rand", "randint", "randperm"):
            stack.enter_context(mock.patch.object(torch, name, _drawn(getattr(torch, name))))
        stack.enter_context(mock.patch.object(torch, "Generator", _Generator))
        stack.enter_context(mock.patch.dict(os.environ, {cuda_graphs.VARIABLE: "0"}))
        return paths.gaps(path(paths.CPU), path(DEVICE))


# --- Where the host waits ------------------------------------------------------------------------


def _place() -> str:
    frames = reversed(traceback.extract_stack())
    library = str(SCRIPTS / "uncanny") + "/"
    lines = [f"{f.filename[len(library) :]}:{f.lineno}" for f in frames if library in f.filename]
    return " < ".join(lines[:2]) or "elsewhere"


def waits(path) -> list:
    """The places where the host waited most, and how often, as torch reports them."""
    count = collections.Counter()
    if not GPU:
        return []
    noted = mock.patch.object(warnings, "showwarning", lambda *_, **__: count.update([_place()]))
    with noted, warnings.catch_warnings():
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            path(DEVICE)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return count.most_common(12)


# --- What needs a process of its own -------------------------------------------------------------


def repeats(_) -> dict:
    """Are two trainings, and two sets of samples, equal bit for bit on this device?"""
    result = {}
    for name in ("train ddpm", "train ve", "sample heun_churn", "extractor classifier"):
        first, second = (paths.PATHS[name](DEVICE) for _ in range(2))
        result[name] = all(torch.equal(first[key], second[key]) for key in first)
    assert all(result.values()), result
    return result


def captures(_) -> dict:
    """Largest gap of weights between updates in a graph and kernel by kernel, per model."""
    if not GPU:
        return {"skipped": "no GPU"}
    result = {}
    for model in paths.MODELS:
        begun = paths.Begun(model, DEVICE, dropout=0.1)
        begun.advance(8)
        assert begun.run.gradients.graph is not None, model
        with mock.patch.dict(os.environ, {cuda_graphs.VARIABLE: "0"}):
            plain = paths.Begun(model, DEVICE, dropout=0.1)
            plain.advance(8)
        result[model] = float(
            (paths.flat(begun.run.network) - paths.flat(plain.run.network)).abs().max()
        )
    assert max(result.values()) < 1e-5, result
    return result


def waiting_loss(_) -> dict:
    """A loss that waits is not captured, and its training goes on with the same numbers."""
    if not GPU:
        return {"skipped": "no GPU"}
    result = []
    for waits_for in (lambda x: None, lambda x: x.sum().item()):
        begun = paths.Begun("ddpm", DEVICE)
        loss = begun.run.loss

        def waiting(network, x0, *rest, loss=loss, wait=waits_for):
            wait(x0)
            return loss(network, x0, *rest)

        begun.run.loss = waiting
        begun.advance(8)
        result.append(begun.run)
    assert result[0].gradients.graph is not None and result[1].gradients.graph is None
    gap = float((paths.flat(result[0].network) - paths.flat(result[1].network)).abs().max())
    assert gap < 1e-5, gap
    return {"gap": gap}


def full_memory(_) -> dict:
    """Batches are halved where memory does not hold one."""
    if not GPU:
        return {"skipped": "no GPU"}
    torch.cuda.set_per_process_memory_fraction(0.1)  # of this process: others go on beside it
    model, sizes = paths.model_of("edm", DEVICE), []
    forward = model.network.forward

    def greedy(x, *rest):
        sizes.append(len(x))
        torch.empty(len(x) * 2**27, device=x.device)  # 0.5 GB for each image
        return forward(x, *rest)

    with mock.patch.object(model.network, "forward", greedy):
        seeds = random_streams.image_seeds(0, 0, 64)
        drawing.draw_images(model, paths.block(paths.SAMPLERS["heun"][1]), seeds)
    torch.cuda.set_per_process_memory_fraction(1.0)
    assert min(sizes) < 64, sizes
    return {"batches": sorted(set(sizes))}


def _python(code: str, **environment) -> str:
    options = {"capture_output": True, "text": True, "cwd": SCRIPTS, "timeout": 120}
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | environment, **options)
    assert done.returncode == 0, done.stderr[-800:]
    return done.stdout.strip()


def hidden_gpu(_) -> dict:
    """Where CUDA_VISIBLE_DEVICES hides the GPU the processor computes."""
    code = "from uncanny.runtime import hardware; print(hardware.device().type)"
    result = _python(code, CUDA_VISIBLE_DEVICES="")
    assert result == "cpu", result
    return {"device": result}


JOB = """
import torch
from uncanny.runtime import hardware
def main(snakemake):
    device = hardware.device()
    x = torch.ones(1, 1, 8, 8, device=device, requires_grad=True)
    torch.nn.functional.conv2d(x, torch.ones(1, 1, 3, 3, device=device)).sum().backward()
    print(device.type, float(x.grad.sum()))
if __name__ == "__main__":
    from types import SimpleNamespace
    from uncanny.workflow import jobs
    log = __file__.replace(".py", ".log")
    jobs.run(__file__, SimpleNamespace(log=[log], rule="job", input={}))
"""
SERVED = """
import threading
from uncanny.workflow import fork_client, fork_server
fork_server.start()
statuses = []
def go(i):
    statuses.append(fork_client.call(f"{folder}/job/logs/{i}.py"))
threads = [threading.Thread(target=go, args=(i,)) for i in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(statuses)
"""


def forks(folder: Path) -> dict:
    """Six jobs at once, forked from a process that has torch loaded: each finds the GPU."""
    (folder / "job/logs").mkdir(parents=True)
    for number in range(6):
        (folder / f"job/logs/{number}.py").write_text(JOB)
    statuses = _python(f"folder = {str(folder)!r}\n{SERVED}")
    logs = [path.read_text().strip() for path in sorted((folder / "job/logs").glob("*.log"))]
    assert statuses == str([0] * 6) and set(logs) == {f"{DEVICE.type} 324.0"}, (statuses, logs)
    return {"logs": logs}


PROCESSES = {
    check.__name__: check
    for check in (
        repeats,
        captures,
        waiting_loss,
        full_memory,
        hidden_gpu,
        forks,
    )
}

# --- All of it -----------------------------------------------------------------------------------


def row(name: str, check) -> dict:
    """Status, findings and seconds of one check; a failure is a row, too."""
    started, result = time.time(), {"path": name}
    try:
        result |= check()
    except Exception as error:
        result |= {"status": "FAILS", "error": f"{type(error).__name__}: {error}"[:600]}
        result |= {"trace": traceback.format_exc()[-3000:]}
    result["seconds"] = round(time.time() - started, 2)
    numbers = " ".join(f"{key} {gap:.1g}" for key, gap in result.get("gaps", {}).items())
    counted = sum(count for _, count in result.get("waits", []))
    more = result.get("error", "")[:200] or result.get("result", "")
    print(
        f"{result['status']:8} {name:34} {result['seconds']:5.1f} s  {numbers}  waits {counted}  {more}",
        flush=True,
    )
    return result


def path_row(path, exact: bool) -> dict:
    gaps = compared(path) if exact else {}
    status = "DIFFERS" if paths.differing(gaps) else "ok"
    return {"status": status, "gaps": gaps, "waits": waits(path) if exact else path(DEVICE) and []}


def process_row(check) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        return {"status": "ok", "result": check(Path(folder))}


def rows(shard: str) -> list[dict]:
    if shard == "processes":
        return [row(name, lambda c=check: process_row(c)) for name, check in PROCESSES.items()]
    number, count = map(int, shard.split("/"))
    checked = [(name, path, True) for name, path in paths.PATHS.items()]
    checked += [(name, path, False) for name, path in paths.REDUCED.items()]
    return [
        row(name, lambda p=path, e=exact: path_row(p, e))
        for name, path, exact in checked[number::count]
    ]


def main() -> None:
    shard, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    record = {"device": hardware.describe(DEVICE), "torch": torch.__version__, "rows": rows(shard)}
    file = folder / f"check-{shard.split('/')[0]}.json"
    file.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
