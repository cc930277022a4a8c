"""Stated cost of a unit of work, for work without measurements: on one core of a processor, and on
a GPU. No torch here.

Work is counted in floating-point operations of the networks; each layer adds a launch time.
Stated rates:
* processor: one core of a server (AVX-512), measured with the networks of the study of digits;
* a GPU in tf32 and bf16: measured on an NVIDIA H200 (results/measured/gpu/speed.json: trainings of
  DDPM from batch 32 to 128, sampling of DDPM++ with Heun's method), times the ratio of the dense
  peaks in NVIDIA's data sheets. For sampling on an A100 in tf32 this gives 46 TFLOP/s, as do the
  paper's 79 minutes for 512 evaluations of DDPM++ (arXiv 2402.13369, Table A.5);
* a GPU in float32: training at the rate that the paper prints for its DDPM models on an A100 (90
  epochs of CIFAR-10 in 298 minutes), sampling at two thirds of that card's 19.5 TFLOP/s; other
  cards in proportion to their peaks, and no faster than in tf32.
Noise that the host generates meanwhile is not counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from uncanny.evaluation import jackknife

TRAINING = 3  # operations of a training image, in those of an evaluation
GRADIENT = 2.3  # of a gradient by the image, likewise; statistics of guidance are in it
BATCH_VALUES = 2**21  # numbers in one batch of states, as sampling.BATCH_VALUES
TOGETHER = 0.9  # speed of n GPUs that train one model, over n times that of one; not measured
BATCH = 256  # images that an extractor, or a classifier's report, looks at together
# Dense peaks in TFLOP/s, by NVIDIA's data sheets.
PEAKS = {
    "A100": {"fp32": 19.5, "tf32": 156.0, "bf16": 312.0},
    "H200": {"fp32": 67.0, "tf32": 494.5, "bf16": 989.5},
    "RTX 3090": {"fp32": 35.6, "tf32": 35.6, "bf16": 71.2},
    "RTX 4090": {"fp32": 82.6, "tf32": 82.6, "bf16": 165.2},
}
FLOAT32 = {"training": 10.7e12, "sampling": 13e12}  # on an A100
H200 = {"training": {"tf32": 99e12, "bf16": 144e12}, "sampling": {"tf32": 145e12, "bf16": 170e12}}


@dataclass(frozen=True)
class Device:
    """Where the jobs that ask for `gpu=1` run.

    card: name of a GPU; empty for a processor. training, sampling: operations per second, by
    precision. update, layer: seconds that a layer adds to an update of weights, and to an
    evaluation of a batch. rest: seconds of a job's overhead. base: MB of a process with its
    libraries.
    """

    name: str
    card: str
    training: Mapping[str, float]
    sampling: Mapping[str, float]
    update: float
    layer: float
    rest: float
    base: float

    @property
    def accelerates(self) -> bool:
        return self.name != "processor"


def accelerator(card: str) -> Device:
    """A GPU by its name in PEAKS."""
    rates = {work: _rates(card, work) for work in FLOAT32}
    return Device("accelerator", card, **rates, update=1e-4, layer=3e-5, rest=5.0, base=2500)


def _rates(card: str, work: str) -> dict[str, float]:
    peaks = PEAKS[card]
    rates = {p: H200[work][p] * peaks[p] / PEAKS["H200"][p] for p in ("tf32", "bf16")}
    plain = FLOAT32[work] * peaks["fp32"] / PEAKS["A100"]["fp32"]
    return rates | {"fp32": min(plain, rates["tf32"])}


PROCESSOR = Device(
    "processor",
    "",
    training=dict.fromkeys(("fp32", "tf32", "bf16"), 60e9),
    sampling=dict.fromkeys(("fp32", "tf32", "bf16"), 42e9),
    update=2.8e-4,
    layer=1e-4,
    rest=0.15,
    base=500,
)
CARD = "A100"
# Metrics run in float64 on one core everywhere.
CORE = 30e9  # operations per second
SORTING = 600  # operations' worth of time of a pair of images, in addition to their distance
ELSE = 1e5  # of each image, in metrics that compare no pairs


def update(size, batch: int, device: Device, precision: str = "fp32") -> float:
    """Seconds of an update with a batch of images. size: sizes.Size."""
    # t = 3·B·flops / rate + layers · launch of a layer
    rate = device.training[precision]
    return TRAINING * batch * size.flops / rate + device.update * size.layers


def together(seconds: float, gpus: int, device: Device) -> float:
    """Seconds on several GPUs of what takes `seconds` on one."""
    return seconds / (TOGETHER * gpus) if gpus > 1 and device.accelerates else seconds


def evaluation(size, batch: int, device: Device, precision: str = "fp32") -> float:
    """Seconds of an evaluation per image, in batches of a given size."""
    # t/B = flops / rate + layers · launch of a layer / B
    return size.flops / device.sampling[precision] + device.layer * size.layers / batch


def gradient(size, batch: int, device: Device, precision: str = "fp32") -> float:
    """Seconds of a classifier's gradient by the image, per image."""
    return GRADIENT * evaluation(size, batch, device, precision)


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
