"""Makes tests/data/solvers.npz: runs of the public samplers on a Gaussian mixture, in float64.

    pip install k-diffusion==0.1.1.post1     # with diffusers 0.42.1, which this project needs anyway
    python tests/reference_runs.py

Tests read the file only. Denoiser: the mixture gmm_a of tests/data/samplers.npz; start: one of its
latents times sigma_0; levels: `sigmas/NAME`; noise: `noise`, draw i for step i. Schedulers of
diffusers compute levels and states in float32; float64 replaces it.
"""

import importlib
import sys
import types
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import torch
from diffusers import DEISMultistepScheduler as DEIS
from diffusers import DPMSolverMultistepScheduler as Multistep
from diffusers import IPNDMScheduler
from diffusers import UniPCMultistepScheduler as UniPC

sys.path[:0] = [str(Path(__file__).parents[1] / "scripts"), str(Path(__file__).parent)]

from exact import DATA, Mixture, arrays, tensor  # noqa: E402

from uncanny.diffusion import schedules, sigma_grids  # noqa: E402
from uncanny.diffusion.chain import alphas_cumprod  # noqa: E402

STORED = arrays("samplers")
MODEL = Mixture(STORED, "gmm_a")
LATENTS = tensor(STORED["latents"])[:1]
NOISE = torch.randn(9, *LATENTS.shape, generator=torch.Generator().manual_seed(22))


def grids() -> dict[str, torch.Tensor]:
    """Falling levels: of the polynomial grid and of the linear DDPM schedule, to 0 and without it."""
    alpha_bar = alphas_cumprod(schedules.linear(1000))
    table = ((1 - alpha_bar) / alpha_bar).sqrt()
    levels = table[schedules.ancestral_times(1000, 9)[:-1]]
    result = {
        "edm9": sigma_grids.polynomial(9, 0.002, 80.0),
        "ddpm9": torch.cat([levels, levels.new_zeros(1)]),
    }
    return result | {f"{name}_above0": sigmas[:-1] for name, sigmas in result.items()}


SIGMAS = grids()


class Wide:
    """torch with float64 for float32, to which schedulers cast the state."""

    float32 = torch.float64

    def __getattr__(self, name: str):
        return getattr(torch, name)


for scheduler in (Multistep, UniPC, DEIS, IPNDMScheduler):
    sys.modules[scheduler.__module__].torch = Wide()


def run_diffusers(scheduler, sigmas: torch.Tensor) -> torch.Tensor:
    """A scheduler whose model predicts the clean image, in the variance-preserving scaling."""
    N = len(sigmas) - 1
    scheduler.set_timesteps(N)
    scheduler.sigmas, scheduler.timesteps = sigmas, torch.arange(N, 0, -1)
    scale = (1 + sigmas**2).rsqrt()
    x = LATENTS * sigmas[0] * scale[0]
    for i, t in enumerate(scheduler.timesteps):
        clean = MODEL(x / scale[i], sigmas[i])
        more = (
            {"variance_noise": NOISE[i].double()}
            if "sde" in str(scheduler.config.get("algorithm_type"))
            else {}
        )
        x = scheduler.step(clean, t, x, return_dict=False, **more)[0]
    assert x.dtype == torch.float64
    return x / scale[-1]


def run_ipndm(sigmas: torch.Tensor) -> torch.Tensor:
    """Its alphas and betas are signal and noise; ets = sample beta + output alpha is to be eps."""
    scheduler, N = IPNDMScheduler(), len(sigmas) - 1
    scheduler.set_timesteps(N)
    scheduler.alphas = (1 + sigmas**2).rsqrt()
    scheduler.betas = sigmas * scheduler.alphas
    scheduler.timesteps = torch.arange(N, 0, -1)
    x = LATENTS * scheduler.betas[0]
    for i, t in enumerate(scheduler.timesteps):
        signal, spread = scheduler.alphas[i], scheduler.betas[i]
        eps = (x - signal * MODEL(x / signal, sigmas[i])) / spread
        x = scheduler.step((eps - x * spread) / signal, t, x, return_dict=False)[0]
    return x / scheduler.alphas[-1]


def run_k_diffusion(name: str, sigmas: torch.Tensor, **options) -> torch.Tensor:
    k = k_diffusion()
    if name.endswith("sde"):
        steps = {float(s): i for i, s in enumerate(sigmas)}
        options["noise_sampler"] = lambda sigma, sigma_next: NOISE[steps[float(sigma)]].double()
    return getattr(k, f"sample_{name}")(MODEL, LATENTS * sigmas[0], sigmas, disable=True, **options)


@cache
def k_diffusion():
    """k_diffusion.sampling alone; what it imports for samplers that are not run here is left out."""
    for name in ("torchdiffeq", "torchsde"):
        stub = types.ModuleType(name)
        stub.odeint = None
        sys.modules.setdefault(name, stub)
    package = types.ModuleType("k_diffusion")
    package.__path__ = [f"{folder}/k_diffusion" for folder in sys.path if folder]
    utils = types.ModuleType("k_diffusion.utils")
    utils.append_dims = lambda x, ndim: x.reshape(*x.shape, *[1] * (ndim - x.ndim))
    sys.modules |= {"k_diffusion": package, "k_diffusion.utils": utils}
    package.utils = utils
    return importlib.import_module("k_diffusion.sampling")


def runs():
    """(name of the run SAMPLER/OPTIONS/GRID/PROGRAM, its result [1, 3, 4, 4])."""
    for grid in ("edm9", "ddpm9"):
        sigmas = SIGMAS[grid]
        yield f"dpmpp/2 midpoint 0/{grid}/k-diffusion", run_k_diffusion("dpmpp_2m", sigmas)
        for eta, kind in product((0.5, 1.0), ("midpoint", "heun")):
            result = run_k_diffusion("dpmpp_2m_sde", sigmas, eta=eta, solver_type=kind)
            yield f"dpmpp/2 {kind} {eta}/{grid}/k-diffusion", result
        for eta in (0.0, 1.0):
            result = run_k_diffusion("dpmpp_3m_sde", sigmas, eta=eta)
            yield f"dpmpp/3 heun {eta}/{grid}/k-diffusion", result
        for order in (1, 2, 3, 4):
            yield f"lms/{order}/{grid}/k-diffusion", run_k_diffusion("lms", sigmas, order=order)
        yield f"dpm_2//{grid}/k-diffusion", run_k_diffusion("dpm_2", sigmas)
        yield f"ipndm/4/{grid}/diffusers", run_ipndm(sigmas)
    yield from diffusers_runs()


def diffusers_runs():
    # Fewer than 15 steps only are reduced by dpmpp and deis there. Steps to 0 of unipc and deis are
    # not finite there, but for the one of first order of unipc with bh2
    for order, last, grid in product((2, 3), (True, False), ("edm9", "ddpm9")):
        options = {"solver_order": order, "lower_order_final": last, "prediction_type": "sample"}
        for kind, end in product(("midpoint", "heun"), ("", "_above0")):
            zero = "sigma_min" if end else "zero"
            scheduler = Multistep(**options, solver_type=kind, final_sigmas_type=zero)
            result = run_diffusers(scheduler, SIGMAS[grid + end])
            yield f"dpmpp/{order} {kind} 0 {last}/{grid}{end}/diffusers", result
        for kind, end in product(("bh1", "bh2"), ("", "_above0")):
            if end or (kind == "bh2" and last):
                result = run_diffusers(UniPC(**options, solver_type=kind), SIGMAS[grid + end])
                yield f"unipc/{order} {kind} {last}/{grid}{end}/diffusers", result
        result = run_diffusers(DEIS(**options), SIGMAS[f"{grid}_above0"])
        yield f"deis/{order} {last}/{grid}_above0/diffusers", result
    for kind in ("midpoint", "heun"):
        scheduler = Multistep(
            solver_order=2, algorithm_type="sde-dpmsolver++", solver_type=kind,
            prediction_type="sample", final_sigmas_type="zero",
        )  # fmt: skip
        result = run_diffusers(scheduler, SIGMAS["ddpm9"])
        yield f"dpmpp/2 {kind} 1.0 True/ddpm9/diffusers", result


if __name__ == "__main__":
    result = {f"sigmas/{name}": values.numpy() for name, values in SIGMAS.items()}
    results = dict(runs())
    result |= {"noise": NOISE.numpy(), "names": np.array(list(results))}
    result["x"] = torch.cat(list(results.values())).numpy()
    np.savez_compressed(DATA / "solvers.npz", **result)
    print(f"{len(results)} runs")
