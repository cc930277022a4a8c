"""Every way through the library that a job on a GPU takes, at a tiny size.

PATHS and REDUCED: name -> function(device) -> {name: tensor}. Networks have no dropout, so that a
processor and a GPU that are given the same draws agree. Used on a pretended device (test_gpu.py) and
on a real one beside the processor (check.py). REDUCED computes with fewer bits: it must run, not agree.
"""

import contextlib
import functools
import importlib
import tempfile
import unittest.mock as mock
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import resolved
import torch

from uncanny.datasets import Split
from uncanny.evaluation import denoising_losses, features, likelihood, metrics
from uncanny.evaluation.extractors import Extractor
from uncanny.guidance import guidances, noisy_classifier
from uncanny.networks import building
from uncanny.registry import components
from uncanny.runtime import checkpoints, random_streams
from uncanny.runtime.resume_state import ResumeState, Stopped
from uncanny.sampling import drawing
from uncanny.training import classifiers, loop
from uncanny.training.stream import Stream

IMAGES, BATCH, CLASSES = 48, 8, 4
CPU = torch.device("cpu")

# --- Models --------------------------------------------------------------------------------------

TRAINING = {"batch_size": BATCH, "lr": 1e-3, "lr_rampup_images": 100, "grad_clip": 1.0}
TRAINING |= {"augment": "hflip", "ema": {"kind": "constant", "beta": 0.9, "warmup": True}}
SIZE = {"width": 16, "multipliers": [1, 2], "blocks": 1, "attention": [4], "dropout": 0.0}
UNET = {"kind": "unet"} | SIZE
ADM = UNET | {"scale_shift": True, "resampling": "residual", "head_channels": 8}
ADM_UNET = {"kind": "adm_unet", "head_channels": 8} | SIZE
DIFFUSERS = {"kind": "diffusers_unet", "groups": 4} | SIZE
DDPMPP = {"kind": "song_unet"} | SIZE
NCSNPP = DDPMPP | {"embedding": "fourier", "encoder": "residual"}
NCSNPP |= {"resample_filter": [1, 3, 3, 1]}
REFINENET = {"kind": "refinenet", "width": 8, "multipliers": [1, 1, 1], "dropout": 0.0}
MLP = {"kind": "mlp", "width": 16, "hidden": 2}
DDPM = {"kind": "discrete", "num_levels": 100}
LINEAR, COSINE = {"kind": "linear", "scale": 1.0}, {"kind": "cosine"}
NCSN = {"kind": "annealed", "sigma_max": 5.0, "num_levels": 6}
CLD = {"recipe": {"kind": "cld"}, "mixed_score": True, "objective": "dsm", "condition": "log_t"}


def continuous(preconditioning):
    return {"kind": "continuous", "preconditioning": preconditioning}


def phase(recipe, **more):
    return {"kind": "phase_space", "recipe": {"kind": recipe}} | more


def identity(process, network, schedule=None, conditional=False, **more):
    result = {"dataset": "made", "process": process, "schedule": schedule, "network": network}
    return result | {"training": TRAINING | more, "conditional": conditional}


MODELS = {
    "ddpm": identity(DDPM, UNET, LINEAR),
    "ddpm_cond_adm": identity(DDPM, ADM, COSINE, conditional=True),
    "diffusers_unet": identity(DDPM, DIFFUSERS, LINEAR),
    "ddpm_v": identity(DDPM | {"prediction": "v"}, UNET, LINEAR),
    "ddpm_learned": identity(
        DDPM | {"variance": "learned_range"}, UNET, LINEAR, conditional=True, label_dropout=0.3
    ),
    "edm_adm": identity(continuous("edm"), ADM_UNET, conditional=True, label_dropout=0.3),
    "vp_cond": identity(continuous("vp"), DDPMPP, conditional=True),
    "ve": identity(continuous("ve"), NCSNPP),
    "edm": identity(continuous("edm"), DDPMPP),
    "edm_mlp": identity(continuous("edm"), MLP, augment="none"),
    "ncsn": identity(NCSN, REFINENET),
    "psld": identity(phase("psld"), DDPMPP),
    "cld": identity(phase("cld") | CLD, DDPMPP, conditional=True),
    "vp_recipe": identity(phase("vp"), DDPMPP),
}


def data(model):
    """A dataset in memory: images of noise, or vectors."""
    rng = np.random.default_rng(0)
    vectors = MODELS[model]["network"]["kind"] == "mlp"
    shape = (4,) if vectors else (3, 8, 8)
    images = rng.integers(0, 256, (IMAGES, *shape), dtype=np.uint8)
    if vectors:
        images = rng.standard_normal((IMAGES, *shape)).astype(np.float32)
    split = Split(images, rng.integers(0, CLASSES, IMAGES))
    return SimpleNamespace(
        train=split,
        test=split,
        splits={"train": split, "test": split},
        num_classes=CLASSES,
        shape=shape,
        name="made",
        kind="vector" if vectors else "image",
        parameters={},
    )


class Begun:
    """A model before its first update, with what trains it."""

    def __init__(self, model, device, **options):
        made, self.data = MODELS[model], data(model)
        self.identity = made | {"training": made["training"] | options}
        self.options = self.identity["training"]
        derived = building.build_family(made).derive(self.data)
        self.family = building.build_family(made, derived)
        build = functools.partial(building.build_network, made, self.data.shape, CLASSES)
        stream = Stream(self.data, BATCH, 0, made["conditional"])
        self.run = loop.begin(build, self.family.loss, stream, self.options, 0, device)
        self.derived = derived

    def advance(self, updates):
        return loop.advance(self.run, updates)


def shake(network):
    """Change all weights a little: layers that start at zero would hide what is behind them."""
    with torch.no_grad():
        for number, weight in enumerate(network.parameters()):
            noise = torch.randn(weight.shape, generator=torch.Generator().manual_seed(number))
            weight.copy_(weight + 0.02 * noise.to(weight.device))


def flat(network):
    return torch.cat([weight.detach().flatten() for weight in network.parameters()])


# --- Training ------------------------------------------------------------------------------------


def trained(model, **options):
    def path(device):
        begun = Begun(model, device, **options)
        shake(begun.run.network)
        entries = torch.stack(begun.advance(3))
        weights = {"weights": flat(begun.run.network), "average": flat(begun.run.average)}
        return {"entries": entries} | weights

    return path


JOB = {"identity": {}, "seed": 0, "epoch": 2, "status": "ok"}


def _cut_off(attempt):
    """What a second attempt gives, after a first that was asked to stop within an epoch."""
    often = mock.patch.object(loop, "UPDATES_AT_ONCE", 2)
    with often, tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "a.unfinished.pt"
        with contextlib.suppress(Stopped):
            attempt(state, True)
        assert state.exists(), "nothing was kept"
        return attempt(state, False)


def resumed(model):
    """A training that is cut off within its second epoch, and goes on to the end of it."""

    def attempt(device, path, stopped):
        begun = Begun(model, device)
        job = JOB | {"identity": begun.identity}
        with ResumeState(path, job, seconds=0 if stopped else 1e9) as kept:
            start = kept.state()
            if start is not None:
                loop.resume(begun.run, start)

            def keep(state):
                kept._stop = stopped and begun.run.step >= 8  # an epoch has 6 updates
                kept.keep(lambda: state() | job)

            loop.train(begun.run, 2, keep)
        losses = torch.tensor([entry["loss"] for entry in begun.run.history])
        return {"weights": flat(begun.run.network), "loss": losses}

    return lambda device: _cut_off(functools.partial(attempt, device))


def resumed_classifier(device):
    made = classifier_identity("ddpm", ENCODER)

    def attempt(path, stopped):
        with ResumeState(path, {"identity": made}) as kept:
            calls = []

            def keep(state):
                calls.append(1)
                kept._stop = stopped and len(calls) == 2
                kept.keep(state)

            return classifiers.train(data("ddpm"), made, device, kept.state(), keep)

    state = _cut_off(attempt)
    return {"weights": torch.cat([weight.flatten() for weight in state["network"].values()])}


# --- Sampling ------------------------------------------------------------------------------------


def model_of(model, device):
    """A model with shaken weights, through what a checkpoint holds."""
    begun = Begun(model, CPU)
    shake(begun.run.average)
    state = {"identity": begun.identity, "shape": list(begun.data.shape), "num_classes": CLASSES}
    return drawing.Trained.of(begun.run.state() | state | {"derived": begun.derived}, device)


POLYNOMIAL = {"grid": {"kind": "polynomial"}}
VP = {"grid": {"kind": "vp", "epsilon_s": 0.001}, "time": "vp", "scaling": "vp"}
VE = {"grid": {"kind": "ve", "epsilon_s": 0.0}, "time": "ve"}
GEOMETRIC = {"grid": {"kind": "ve", "epsilon_s": 0.00001}, "time": "geometric"}
CHURN = {"S_churn": 30.0, "S_tmin": 0.01, "S_tmax": 50.0, "S_noise": 1.007}


def sampler(kind, num_steps=4, **options):
    return {"kind": kind, "num_steps": num_steps} | options


PROCESSES = {
    "denoiser": "continuous",
    "eps_model": "discrete",
    "score_model": "annealed",
    "phase_model": "phase_space",
}


def block(options, **more):
    """A sampler's complete block."""
    process = PROCESSES[components.signature("samplers", options["kind"]).first]
    return resolved.sampler(process, options | more)


SAMPLERS = {
    "ancestral": ("ddpm", sampler("ancestral", 5)),
    "ancestral_large": ("ddpm_cond_adm", sampler("ancestral", 5, variance="large")),
    "ddim": ("ddpm", sampler("ddim", 5, times="ddim")),
    "ddim_eta_reclip": ("ddpm", sampler("ddim", 5, eta=0.5, reclip=True)),
    "ancestral_learned": ("ddpm_learned", sampler("ancestral", 5, variance="learned")),
    "ddim_v": ("ddpm_v", sampler("ddim", 5)),
    "heun_v": ("ddpm_v", sampler("heun", **POLYNOMIAL)),
    "heun_adm": ("edm_adm", sampler("heun", **POLYNOMIAL)),
    "rk45_adm": ("edm_adm", {"kind": "rk45", "grid": "ends", "tol": 0.01}),
    "ddim_marginal": ("ddpm", sampler("ddim", 5, init="marginal")),
    "euler_vp": ("vp_cond", sampler("euler", 5, **VP)),
    "euler_ve": ("ve", sampler("euler", 5, **VE)),
    "euler_churn": ("ve", sampler("euler", S_churn=3.0, S_tmin=0.01, **POLYNOMIAL)),
    "heun": ("edm", sampler("heun", **POLYNOMIAL)),
    "heun_churn": ("vp_cond", sampler("heun", **CHURN, **POLYNOMIAL)),
    "heun_vectors": ("edm_mlp", sampler("heun", **POLYNOMIAL)),
    "reverse_sde": ("ve", sampler("reverse_sde", **POLYNOMIAL)),
    "dpmpp": ("vp_cond", sampler("dpmpp", order=3, **POLYNOMIAL)),
    "dpmpp_sde": ("edm", sampler("dpmpp", eta=1.0, **POLYNOMIAL)),
    "dpmpp_discrete": ("ddpm_cond_adm", sampler("dpmpp", grid="levels")),
    "unipc": ("ve", sampler("unipc", order=3, **POLYNOMIAL)),
    "deis": ("vp_cond", sampler("deis", variable="time", **VP)),
    "ipndm": ("edm", sampler("ipndm", **POLYNOMIAL)),
    "lms": ("ve", sampler("lms", **VE)),
    "dpm_2": ("ddpm", sampler("dpm_2", **POLYNOMIAL)),
    "predictor_corrector": ("ve", sampler("predictor_corrector", **POLYNOMIAL)),
    "predictor_corrector_vp": (
        "vp_cond",
        sampler("predictor_corrector", corrector="annealed", **VP),
    ),
    "rk45": (
        "vp_cond",
        {"kind": "rk45", "grid": "ends", "tol": 0.01, "time": "vp", "scaling": "vp"},
    ),
    "rk45_discrete": ("ddpm_cond_adm", {"kind": "rk45", "grid": "ends", "tol": 0.01}),
    "song_euler_ode": ("vp_cond", sampler("song_euler", 5, **VP)),
    "song_euler_sde": ("ve", sampler("song_euler", 5, stochastic=True, **GEOMETRIC)),
    "annealed_langevin": ("ncsn", {"kind": "annealed_langevin", "steps_per_level": 2}),
    "phase_euler": ("psld", sampler("phase_euler", times="quadratic")),
    "phase_corrector": ("psld", sampler("phase_euler", corrector="langevin_phase")),
    "phase_cld": ("cld", sampler("phase_euler")),
    "sscs": ("psld", sampler("sscs")),
    "sscs_2": ("cld", sampler("sscs", order=2)),
    "sscs_vp": ("vp_recipe", sampler("sscs")),
    "probability_flow": ("psld", {"kind": "probability_flow", "times": "ends", "tol": 0.01}),
    "probability_flow_cond": ("cld", {"kind": "probability_flow", "times": "ends", "tol": 0.01}),
}


def sampled(name, **more):
    def path(device):
        model, options = SAMPLERS[name]
        originals = data(model).train.images if options.get("init") == "marginal" else None
        seeds = random_streams.image_seeds(0, 0, 6)
        drawn = drawing.draw_images(
            model_of(model, device), block(options, **more), seeds, originals=originals
        )
        return {"images": drawn.images, "nfe": torch.tensor(float(drawn.nfe))}

    return path


# --- Guidance ------------------------------------------------------------------------------------

ENCODER = {"kind": "encoder_unet", "width": 16, "multipliers": [1, 2], "blocks": 1}
ENCODER |= {"attention": [4], "head_channels": 8}
SONG_ENCODER = {"kind": "song_encoder", "width": 16, "multipliers": [1, 2], "blocks": 1}
SONG_ENCODER |= {"attention": [], "dropout": 0.0}
CLASSIFIER = {"batch_size": BATCH, "lr": 1e-3, "weight_decay": 0.01, "epochs": 1, "seed": 0}
CLASSIFIER |= {"augment": "hflip"}
GUIDANCES = {
    "classifier": {"classifier": "a"},
    "norm_matched": {"classifier": "a", "norm_of": "b"},
    "random_direction": {"norm_of": "b"},
}


def classifier_identity(model, network):
    made = {key: MODELS[model][key] for key in ("process", "schedule")}
    return made | {"dataset": "made", "network": network, "training": CLASSIFIER}


def classified(model, network):
    def path(device):
        state = classifiers.train(data(model), classifier_identity(model, network), device)
        classifier = noisy_classifier.Classifier.of(state, device)
        report = noisy_classifier.describe(classifier, data(model), device)
        return {
            "weights": torch.cat([weight.flatten() for weight in state["network"].values()]),
            "loss": torch.tensor([entry["loss"] for entry in state["history"]]),
            "gradient": torch.tensor([row["gradient_rms"] for row in report["deciles"]]),
        }

    return path


on_the_processor = contextlib.nullcontext  # replaced where a device is pretended


@functools.cache
def _classifier_states(model, network_kind):
    network = {"encoder_unet": ENCODER, "song_encoder": SONG_ENCODER}[network_kind]
    made = classifier_identity(model, network)
    with on_the_processor():
        return {name: classifiers.train(data(model), made, CPU) for name in ("a", "b")}


def guided(name, kind, network=ENCODER, **more):
    def path(device):
        model, options = SAMPLERS[name]
        states = _classifier_states(model, network["kind"])
        loaded = {
            key: noisy_classifier.Classifier.of(state, device) for key, state in states.items()
        }
        guidance = getattr(guidances, kind)(loaded, scale=2.0, **GUIDANCES[kind])
        seeds = random_streams.image_seeds(0, 0, 6)
        drawn = drawing.draw_images(
            model_of(model, device), block(options, **more), seeds, guidance
        )
        numbers = [v for row in drawn.deciles for v in row.values() if isinstance(v, float)]
        return {"images": drawn.images, "deciles": torch.tensor(numbers)}

    return path


def guided_free(name, **options):
    """Classifier-free guidance of a sampler of SAMPLERS."""

    def path(device):
        model, sampling = SAMPLERS[name]
        guidance = guidances.classifier_free({}, scale=2.0, **options)
        seeds = random_streams.image_seeds(0, 0, 6)
        drawn = drawing.draw_images(model_of(model, device), block(sampling), seeds, guidance)
        return {"images": drawn.images, "nfe": torch.tensor(float(drawn.nfe))}

    return path


def inpainted(name, mask):
    def path(device):
        model, options = SAMPLERS[name]
        guidance = guidances.inpainting({}, mask=mask)
        seeds, originals = random_streams.image_seeds(0, 0, 6), data(model).train.images
        drawn = drawing.draw_images(
            model_of(model, device), block(options), seeds, guidance, originals=originals
        )
        return {"images": drawn.images}

    return path


# --- Evaluation ----------------------------------------------------------------------------------


def losses_by_level(device):
    model, images = model_of("vp_cond", device), data("vp_cond")
    held_out = denoising_losses.chosen(images, "train", 16, model)
    bound = denoising_losses._bound(model, held_out.labels)
    losses = denoising_losses.measure(bound, bound, held_out, np.geomspace(0.02, 50, 4), 8)
    return {name: torch.from_numpy(np.asarray(value)) for name, value in losses.items()}


def likelihoods(model):
    def path(device):
        trained, images = model_of(model, device), data(model)
        held_out = denoising_losses.chosen(images, "train", 8, trained)
        parts = likelihood.measure(trained, held_out)
        return {name: torch.from_numpy(part) for name, part in parts.items()}

    return path


def extracted(kind, **options):
    def path(device):
        images = data("ddpm")
        train = getattr(importlib.import_module(f"uncanny.evaluation.extractors.{kind}"), kind)
        state = train(images, str(device), batch_size=8, epochs=1, width=8, **options)
        extractor = Extractor(state, str(device))
        result = features.extract(extractor, images.test.images, 7, images.test.labels)
        kid = metrics.kid(result, result, subsets=2, subset_size=5)
        scores = [kid, metrics.precision(result, result), metrics.recall(result, result)]
        arrays = {"pool": torch.from_numpy(result.pool), "logits": torch.from_numpy(result.logits)}
        return arrays | {"scores": torch.tensor([score.value for score in scores])}

    return path


def stored(device):
    """A checkpoint is written, read and sampled where there is no GPU."""
    begun = Begun("ddpm", device)
    begun.advance(2)
    facts = JOB | {"identity": begun.identity, "derived": {}, "num_classes": CLASSES}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "a.pt"
        checkpoints.save(file, begun.run.state() | facts | {"shape": list(begun.data.shape)})
        with on_the_processor():
            model = drawing.Trained.of(checkpoints.load(file), CPU)
            seeds = random_streams.image_seeds(0, 0, 2)
            drawn = drawing.draw_images(model, block(sampler("ddim", 2)), seeds)
    return {"images": drawn.images}


# --- All of them ---------------------------------------------------------------------------------

PATHS = {f"train {model}": trained(model) for model in MODELS}
PATHS |= {f"resume {model}": resumed(model) for model in ("ddpm", "ve", "ncsn", "psld")}
PATHS |= {"resume classifier": resumed_classifier, "checkpoint elsewhere": stored}
PATHS |= {f"sample {name}": sampled(name) for name in SAMPLERS}
PATHS |= {
    "classifier discrete": classified("ddpm", ENCODER),
    "classifier phase": classified("psld", SONG_ENCODER),
}
PATHS |= {
    f"guide {kind} {name}": guided(name, kind)
    for name in ("ancestral", "ddim")
    for kind in GUIDANCES
}
PATHS |= {
    "guide at the mean": guided("ancestral", "classifier", guidance_at="mean"),
    "guide classifier_free": guided_free("heun_adm", sigma_min=0.1, sigma_max=20.0),
    "guide classifier_free rk45": guided_free("rk45_adm", sigma_max=5.0),
    "guide classifier_free discrete": guided_free("ancestral_learned", t_max=50),
    "guide phase_euler": guided("phase_euler", "classifier", SONG_ENCODER),
    "guide sscs": guided("sscs", "classifier", SONG_ENCODER),
}
PATHS |= {
    f"inpaint {mask}": inpainted("phase_euler", mask) for mask in ("centre", "right", "digit")
}
PATHS |= {
    "inpaint sscs": inpainted("sscs", "centre"),
    "losses by level": losses_by_level,
    "likelihood": likelihoods("ddpm"),
    "likelihood learned": likelihoods("ddpm_learned"),
    "extractor classifier": extracted("classifier", shift=1, flip=True),
    "extractor rotation": extracted("rotation"),
}

FEWER_BITS = ("ancestral", "heun_churn", "annealed_langevin", "phase_euler", "euler_ve")
REDUCED = {
    f"train {model} {precision}": trained(model, precision=precision)
    for model in MODELS
    for precision in ("bf16", "tf32")
}
REDUCED |= {f"sample {name} bf16": sampled(name, precision="bf16") for name in FEWER_BITS}
REDUCED |= {"guide ddim bf16": guided("ddim", "classifier", precision="bf16")}


def gaps(expected, actual):
    """Largest difference by name, relative to the largest value expected; of weights the mean
    difference. What is not finite must be so in both.
    """
    result = {}
    for name, value in expected.items():
        a, b = (torch.nan_to_num(v.double().cpu(), nan=1e300) for v in (value, actual[name]))
        gap = (a - b).abs()
        if gap.numel():
            worst = gap.mean() if name in ("weights", "average") else gap.max()
            result[name] = float(worst / a.abs().max().clamp(min=1e-12))
    return result


CLOSE = {"weights": 1e-5, "average": 1e-5}
OTHERS = 1e-3


def differing(result):
    """Those of `gaps` that are not small."""
    return {name: gap for name, gap in result.items() if not gap <= CLOSE.get(name, OTHERS)}
