"""Score made features of the width of Inception's: seconds on one core and memory of each metric.

PYTHONPATH=scripts python tests/benchmarks/score_features.py IMAGES REFERENCES METRIC ...
"""

import multiprocessing
import resource
import sys
import time

import numpy as np

WIDTH = 2048
CLASSES = 1008


def made(n: int, seed: int):
    """Rectified features of 30 directions that matter and little else, as real ones are."""
    from uncanny.evaluation.features import Features

    shared, rng = np.random.default_rng(0), np.random.default_rng(seed)
    directions = shared.standard_normal((30, WIDTH), dtype=np.float32)
    pool = rng.standard_normal((n, 30), dtype=np.float32) @ directions
    pool = np.maximum(0.1 * pool + 0.1 * rng.standard_normal((n, WIDTH), dtype=np.float32), 0)
    return Features(pool, rng.standard_normal((n, CLASSES), dtype=np.float32))


def measured(name: str, images: int, references: int) -> None:
    import torch

    from uncanny.evaluation import metrics

    torch.set_num_threads(1)
    sample, reference = made(images, 1), made(references, 2)
    base, started, cpu = _peak(), time.time(), time.process_time()
    result = getattr(metrics, name)(sample, reference)
    spent = f"{time.time() - started:7.1f} s, {time.process_time() - cpu:7.1f} s of a processor"
    print(
        f"{name:16} {result.value!r:22} ± {result.se!r:22} {spent}, {_peak():6.0f} MB of which features {base:.0f}",
        flush=True,
    )


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    images, references, *names = sys.argv[1:]
    for name in names:
        job = multiprocessing.get_context("spawn").Process(
            target=measured, args=(name, int(images), int(references))
        )
        job.start()
        job.join()
