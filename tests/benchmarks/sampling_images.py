"""Images from random weights at equal evaluations: our samplers, pipelines of diffusers, k-diffusion.

diffusers' pipelines run their own U-Net of the same size; k-diffusion's sampler and
EDMEulerScheduler run ours, so that they differ in what surrounds the network alone. That is timed by
itself, too, with a network that does nothing: "around the network" over "ours" is its share.
"""

import dataclasses

import harness
import limits
import peers
import scales
import torch
from harness import Work

from uncanny.runtime.random_streams import image_seeds
from uncanny.sampling import drawing as sampling
from uncanny.sampling import sample_sets

OTHERS = "32-bit state, one noise stream for all images"


def measure(scale, device) -> dict[str, Work]:
    discrete = scales.model(scale, "discrete", device)
    continuous = scales.model(scale, "continuous", device)
    ddpm = peers.diffusers_unet(scale.shape, groups=scale.groups, **scale.unet).to(device).eval()
    peers.assert_equal_size(discrete.network, ddpm)
    steps, x = scale.steps, torch.randn(scale.batch, *scale.shape, device=device)
    walks = {
        "ancestral": {"kind": "ancestral", "num_steps": steps},
        "DDIM": {"kind": "ddim", "num_steps": steps, "times": "ddim"},
    }
    walks = {name: scales.sampler("discrete", options) for name, options in walks.items()}
    options = {"num_steps": steps, "grid": "polynomial"}
    heun, euler = (
        scales.sampler("continuous", {"kind": kind} | options) for kind in ("heun", "euler")
    )
    calls = {}
    for name, options in walks.items():
        calls[f"{name}: ours"] = (drawing(discrete, options, scale.batch), discrete, steps, "")
        calls[f"{name}: diffusers"] = (pipeline(name, ddpm, scale), discrete, steps, OTHERS)
        calls[f"{name}: ours around the network"] = around(discrete, options, scale.batch)
    count = 2 * steps - 1
    denoiser = continuous.family.bind(continuous.network, None)
    calls["Heun: ours"] = (drawing(continuous, heun, scale.batch), continuous, count, "")
    calls["Heun: k-diffusion"] = (k_heun(denoiser, x, steps), continuous, count, OTHERS)
    calls["Heun: ours around the network"] = around(continuous, heun, scale.batch)
    calls["Euler: ours"] = (drawing(continuous, euler, scale.batch), continuous, steps, "")
    calls["Euler: diffusers"] = (edm_euler(continuous.network, x, steps), continuous, steps, OTHERS)
    calls["Euler: ours around the network"] = around(continuous, euler, scale.batch)
    return {name: work(name, *rest, x) for name, rest in calls.items()}


def work(name: str, call, model, evaluations: int, note: str, x) -> Work:
    with torch.no_grad():
        flops = limits.counted(lambda: model.network(x, torch.ones(len(x), device=x.device)))
    read = 4 * peers.parameters(model.network)
    return Work(call, evaluations * flops, evaluations * read, name.split(":")[0], note)


def drawing(model, options: dict, count: int):
    """Images as they are stored, one stream of noise each, states in float64."""

    def draw(number: int):
        seeds = image_seeds(0, number * count, count)
        return sample_sets.stored(sampling.draw_images(model, options, seeds).images)

    return draw


class Idle(torch.nn.Module):
    """A network that returns its input."""

    def __init__(self, device):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1, device=device))

    def forward(self, x, noise, labels=None):
        return x


def around(model, options: dict, count: int) -> tuple:
    """What our sampler costs beyond the network."""
    idle = dataclasses.replace(model, network=Idle(model.device))
    return drawing(idle, options, count), idle, 0, "no network"


def pipeline(name: str, unet, scale):
    import diffusers

    kind = {"ancestral": "DDPM", "DDIM": "DDIM"}[name]
    scheduler = getattr(diffusers, f"{kind}Scheduler")(num_train_timesteps=1000)
    pipe = getattr(diffusers, f"{kind}Pipeline")(unet, scheduler)
    pipe.set_progress_bar_config(disable=True)
    options = {"num_inference_steps": scale.steps, "output_type": "np"}
    return lambda _: pipe(batch_size=scale.batch, **options)


def k_heun(denoiser, x, steps: int):
    sampler = peers.k_diffusion()
    sigmas = sampler.get_sigmas_karras(steps, 0.002, 80.0, device=x.device)
    return lambda _: torch.no_grad()(sampler.sample_heun)(denoiser, x * 80, sigmas, disable=True)


def edm_euler(network, x, steps: int):
    from diffusers import EDMEulerScheduler

    scheduler = EDMEulerScheduler()

    @torch.no_grad()
    def draw(_):
        scheduler.set_timesteps(steps, device=x.device)
        state = x * scheduler.init_noise_sigma
        for t in scheduler.timesteps:
            result = network(scheduler.scale_model_input(state, t), t.to(state).expand(len(state)))
            state = scheduler.step(result, t, state).prev_sample
        return state.cpu()

    return draw


if __name__ == "__main__":
    harness.main("sampling_images", measure)
