"""Training at CIFAR-10 scale on an accelerator: images per second and model FLOPs utilisation.

DDPM and DDPM++ at each batch and precision, beside diffusers' UNet2DModel in the same run; one
comparison never mixes precisions. Utilisation is counted operations over time and the rate of a
large matrix product of the same precision, measured in the same rounds. On a processor it runs, too,
at a small size: --scale digits --batches 8 --precisions fp32.

PYTHONPATH=scripts python tests/benchmarks/on_gpu.py [--compile] [--channels-last]
"""

import argparse
import dataclasses
import json
from pathlib import Path

import harness
import peers
import report
import scales
import torch
import training_step

from uncanny.runtime import hardware
from uncanny.runtime.precision import PRECISIONS, computing


def works(scale, device, compiled: bool, channels_last: bool) -> dict:
    """Ours and diffusers', as they are and, if asked for, compiled."""
    made = {
        "DDPM U-Net": scales.updates(scale, "discrete", device),
        "DDPM++": scales.updates(scale, "continuous", device),
    }
    if channels_last:
        for _, network in made.values():
            network.to(memory_format=torch.channels_last)
    images = torch.from_numpy(scale.images()).to(device).float() / 127.5 - 1
    made["diffusers UNet2DModel"] = training_step.diffusers_step(scale, images)
    peers.assert_equal_size(made["DDPM U-Net"][1], made["diffusers UNet2DModel"][1])
    result = {
        name: training_step.work(*pair, scale, group=name * (name == "DDPM++"))
        for name, pair in made.items()
    }
    if compiled:
        for name, (_, network) in made.items():
            network.compile()
            result[name] = dataclasses.replace(result[name], note="compiled")
    return result


def line(name: str, row: dict, batch: int) -> str:
    seconds = [1 / value for value in reversed(row["time"]["wall"])]
    rate = report.quartiles([batch * value for value in seconds])
    ratio, used = (report.quartiles(row[key]["wall"]) for key in ("ours_over_it", "of_limit"))
    return f"| {name} | {rate} | {ratio} | {used} | {row['note']} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("results/benchmarks"))
    parser.add_argument("--scale", choices=sorted(scales.SCALES), default="cifar")
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 128, 512])
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--channels-last", action="store_true")
    arguments = parser.parse_args()
    device = hardware.device()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for level in arguments.precisions:
        dtype = torch.bfloat16 if level == "bf16" else torch.float32
        for batch in arguments.batches:
            scale = dataclasses.replace(scales.SCALES[arguments.scale].of(batch), precision=level)
            with computing(level, device):
                result = works(scale, device, arguments.compile, arguments.channels_last)
                record = {"precision": level, "batch": batch, "scale": arguments.scale}
                record |= harness.compare(result, arguments.rounds, device, dtype)
            record["machine"] = harness.machine(device)
            name = f"training-{arguments.scale}-{level}-{batch}{'-compiled' * arguments.compile}"
            name += "-channels-last" * arguments.channels_last
            (arguments.folder / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
            print(f"\n{name}, {record['machine']['device']}", flush=True)
            print("| what | images/s | ours / it | of the limit | |\n|---|---|---|---|---|")
            for what, row in record["rows"].items():
                print(line(what, row, batch), flush=True)


if __name__ == "__main__":
    main()
