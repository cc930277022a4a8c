"""Stated cost of a unit of work, for work without measurements: on one core of a processor, and on
an accelerator. No torch here.

Work is counted in floating-point operations of the networks; each layer adds a launch time.
Stated rates:
* processor: one core of a server (AVX-512), measured with the networks of the study of digits;
* accelerator: an NVIDIA A100 in float32. Training at the rate that the paper prints for its DDPM
  models (90 epochs of CIFAR-10 in 298 minutes, arXiv 2402.13369, Table A.5), sampling at two thirds
  of the 19.5 TFLOP/s of the device. The paper's SDE models were faster than float32 can be.
"""

from dataclasses import dataclass

from uncanny.evaluation import jackknife

TRAINING = 3  # operations of a training image, in those of an evaluation
GRADIENT = 2.3  # of a gradient by the image, likewise; statistics of guidance are in it
BATCH_VALUES = 2**21  # numbers in one batch of states, as sampling.BATCH_VALUES
TOGETHER = 0.9  # speed of n GPUs that train one model, over n times that of one; not measured
BATCH = 256  # images that an extractor, or a classifier's report, looks at together


@dataclass(frozen=True)
class Device:
    """Where the jobs that ask for `gpu=1` run.

    training, sampling: operations per second. update, layer: seconds that a layer adds to an update
    of weights, and to an evaluation of a batch. rest: seconds of a job's overhead. base: MB of a
    process with its libraries.
    """

    name: str
    training: float
    sampling: float
    update: float
    layer: float
    rest: float
    base: float

    @property
    def accelerates(self) -> bool:
        return self.name != "processor"


PROCESSOR = Device("processor", 60e9, 42e9, 2.8e-4, 1e-4, 0.15, 500)
ACCELERATOR = Device("accelerator", 10.7e12, 13e12, 1e-4, 3e-5, 5.0, 2500)
DEVICES = {device.name: device for device in (PROCESSOR, ACCELERATOR)}
# Metrics run in float64 on one core everywhere.
CORE = 30e9  # operations per second
SORTING = 600  # operations' worth of time of a pair of images, in addition to their distance
ELSE = 1e5  # of each image, in metrics that compare no pairs


def update(size, batch: int, device: Device) -> float:
    """Seconds of an update with a batch of images. size: networks.Size."""
    # t = 3·B·flops / rate + layers · launch of a layer
    return TRAINING * batch * size.flops / device.training + device.update * size.layers


def together(seconds: float, gpus: int, device: Device) -> float:
    """Seconds on several GPUs of what takes `seconds` on one."""
    return seconds / (TOGETHER * gpus) if gpus > 1 and device.accelerates else seconds


def evaluation(size, batch: int, device: Device) -> float:
    """Seconds of an evaluation per image, in batches of a given size."""
    # t/B = flops / rate + layers · launch of a layer / B
    return size.flops / device.sampling + device.layer * size.layers / batch


def gradient(size, batch: int, device: Device) -> float:
    """Seconds of a classifier's gradient by the image, per image."""
    return GRADIENT * evaluation(size, batch, device)


def batch_of(count: int, values: int) -> int:
    """Images of `values` numbers that are sampled together."""
    return max(1, min(count, BATCH_VALUES // values))


def metric_operations(kind: str, options: dict, n: int, m: int, width: int) -> float:
    """Operations of a metric of n images against m of a reference. width: number of features."""
    pair = 2 * width + SORTING
    if kind == "fid":
        # Covariances, n·d² each; eigenvalues of d×d matrices, d³, also without each group.
        return 2 * (4 * n + m) * width**2 + (25 + 2 * jackknife.GROUPS) * width**3
    if kind == "kid":
        # Three kernel matrices per subset, and those of all images.
        size = min(options["subset_size"], n // 2, m // 2)
        return 2 * width * (3 * options["subsets"] * size**2 + n * (n / 2 + m))
    if kind in ("precision", "noise_share"):
        return pair * n * m
    if kind == "recall":
        return pair * n * (n + m)
    if kind == "sliced_w2":
        return 12 * SORTING * options["projections"] * (n + m) / 10
    if kind == "nearest":
        return pair * (n + min(options["baseline"], m)) * m
    return ELSE * n


def neighbours(m: int, width: int) -> float:
    """Operations of one image in the search of the nearest among m images."""
    return m * (2 * width + SORTING)


def kernels(m: int, width: int) -> float:
    """Operations of one image in the mean kernel of all pairs of m images."""
    return m * width
