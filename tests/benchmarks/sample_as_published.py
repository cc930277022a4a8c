"""Minutes that so many images of 3x32x32 take, with the samplers and steps of Table A.5.

Networks have random weights, which costs as much. Set sizes by --images: on a processor
`--scale digits --images 4 --share 0.02` shows that it runs. share: of the number of steps.

PYTHONPATH=scripts python tests/benchmarks/sample_as_published.py --images 10000 --precision bf16
"""

import argparse
import json
import time
from pathlib import Path

import harness
import scales

from uncanny.runtime import hardware
from uncanny.runtime.precision import PRECISIONS
from uncanny.runtime.random_streams import image_seeds
from uncanny.sampling import drawing, sample_sets

CHURN = {"S_churn": 30.0, "S_tmin": 0.01, "S_tmax": 1.0, "S_noise": 1.007}
VP = {"grid": {"kind": "vp", "epsilon_s": 0.001}, "time": "vp", "scaling": "vp"}
EDM = {"kind": "heun", "grid": {"kind": "polynomial", "rho": 7.0}}
# Name -> family, steps, options, the paper's minutes on an A100 (batch and precision not stated).
SAMPLERS = {
    "HEDM": ("continuous", 18, EDM, 7),
    "EUL": ("continuous", 512, {"kind": "euler"} | VP, 79),
    "STOc": ("continuous", 256, EDM | CHURN, 82),
    "MARK": ("discrete", 1000, {"kind": "ancestral"}, 90),
}


def timed(name: str, arguments, device) -> dict:
    """Record of one sampler: minutes for the images asked for, by the wall's clock."""
    family, steps, options, published = SAMPLERS[name]
    model = scales.model(scales.SCALES[arguments.scale], family, device)
    options = options | {"num_steps": max(2, round(arguments.share * steps))}
    options |= {"precision": arguments.precision}
    short, whole = (scales.sampler(family, o) for o in (options | {"num_steps": 2}, options))
    at_once = min(arguments.images, model.batch_size)
    drawing.draw_images(model, short, image_seeds(1, 0, at_once))
    started = time.perf_counter()
    drawn = drawing.draw_images(model, whole, image_seeds(0, 0, arguments.images))
    sample_sets.stored(drawn.images.clamp(-1, 1).nan_to_num())
    minutes = (time.perf_counter() - started) / 60
    result = {"sampler": name, "nfe": drawn.nfe, "images": arguments.images, "minutes": minutes}
    return result | {"batch": at_once, "minutes_published": published}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("results/benchmarks"))
    parser.add_argument("--scale", choices=sorted(scales.SCALES), default="cifar")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32")
    arguments = parser.parse_args()
    device = hardware.device()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    records = []
    print("| sampler | evaluations | minutes | the paper's |\n|---|---|---|---|")
    for name in SAMPLERS:
        result = timed(name, arguments, device)
        records.append(result)
        print(
            f"| {name} | {result['nfe']} | {result['minutes']:.3g} | {SAMPLERS[name][3]} |",
            flush=True,
        )
        record = {"precision": arguments.precision, "scale": arguments.scale, "records": records}
        record |= {"machine": harness.machine(device)}
        path = arguments.folder / f"sampling-{arguments.scale}-{arguments.precision}.json"
        path.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
