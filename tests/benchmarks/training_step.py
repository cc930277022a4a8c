"""One update of training: loss, gradients clipped, Adam, average of the weights.

Ours is `training.advance`, with its batch taken from uint8 images. diffusers is the loop of its own
example (AdamW, EMAModel); denoising-diffusion-pytorch that of its Trainer, without its data loader.
"""

import harness
import limits
import peers
import scales
import torch
from harness import Work

PASSES = (
    13  # over the weights: gradients written and read, norm, Adam's four and three, the average
)


def measure(scale, device) -> dict[str, Work]:
    ours, network = scales.updates(scale, "discrete", device)
    plus, plus_network = scales.updates(scale, "continuous", device)
    images = torch.from_numpy(scale.images()).to(device).float() / 127.5 - 1
    theirs, their_network = diffusers_step(scale, images)
    peers.assert_equal_size(network, their_network)
    other, other_network = lucidrains_step(scale, (images + 1) / 2)
    made = {"DDPM U-Net": (ours, network), "diffusers UNet2DModel": (theirs, their_network)}
    made |= {"denoising-diffusion-pytorch Unet": (other, other_network)}
    notes = {"denoising-diffusion-pytorch Unet": "blocks, width of attention: compare per GFLOP"}
    works = {name: work(*pair, scale, notes.get(name, "")) for name, pair in made.items()}
    return works | {"DDPM++": work(plus, plus_network, scale, "no peer", "DDPM++")}


def work(call, network, scale, note: str = "", group: str = "") -> Work:
    """With the operations of a forward and a backward pass of a batch."""
    device = next(network.parameters()).device
    x, t = torch.randn(scale.batch, *scale.shape, device=device), torch.ones(scale.batch).to(device)
    return Work(
        call,
        limits.counted(lambda: peers.output(network(x, t)).sum().backward()),
        4 * PASSES * peers.parameters(network),
        group,
        note,
    )


def diffusers_step(scale, images):
    """examples/unconditional_image_generation/train_unconditional.py, without accelerate."""
    from diffusers import DDPMScheduler
    from diffusers.optimization import get_scheduler
    from diffusers.training_utils import EMAModel

    network = peers.diffusers_unet(scale.shape, groups=scale.groups, **scale.unet).to(images.device)
    noising = DDPMScheduler(num_train_timesteps=1000)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4, (0.95, 0.999), 1e-8, 1e-6)
    rate = get_scheduler("cosine", optimizer, num_warmup_steps=500, num_training_steps=10**6)
    average = EMAModel(network.parameters(), decay=0.9999, use_ema_warmup=True)

    def step(_) -> None:
        clean = batch(images, scale.batch)
        noise = torch.randn_like(clean)
        t = torch.randint(0, 1000, (len(clean),), device=clean.device)
        result = network(noising.add_noise(clean, noise, t), t).sample
        torch.nn.functional.mse_loss(result, noise).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        rate.step()
        optimizer.zero_grad()
        average.step(network.parameters())

    return step, network.train()


def lucidrains_step(scale, images):
    """Trainer of denoising-diffusion-pytorch: Adam, average every ten updates, clipped at 1."""
    from denoising_diffusion_pytorch import GaussianDiffusion
    from ema_pytorch import EMA

    network = peers.lucidrains_unet(scale.shape, **scale.unet).to(images.device)
    size = scale.shape[1]
    process = GaussianDiffusion(network, image_size=size, objective="pred_noise").to(images.device)
    optimizer = torch.optim.Adam(process.parameters(), 1e-4, (0.9, 0.99))
    average = EMA(process, beta=0.995, update_every=10)

    def step(_) -> None:
        process(batch(images, scale.batch)).backward()
        torch.nn.utils.clip_grad_norm_(process.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        average.update()

    return step, network.train()


def batch(images, size: int):
    return images[torch.randint(0, len(images), (size,), device=images.device)]


if __name__ == "__main__":
    harness.main("training_step", measure)
