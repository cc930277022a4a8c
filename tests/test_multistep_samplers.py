"""Multistep and other fast samplers: recorded runs of the public programs, order, cost, laws."""

import pytest
import torch
from exact import Mixture, Replayed, arrays, assert_close, tensor, unused

from uncanny.registry import components

STORED, RUNS = arrays("samplers"), arrays("solvers")
LATENTS = tensor(STORED["latents"])[:1]
RESULTS = dict(zip(RUNS["names"].tolist(), RUNS["x"], strict=True))


def options_of(kind: str, text: str) -> dict:
    """Options of a recorded run: "2 heun 1.0 True" and the like."""
    names = {"dpmpp": ["order", "solver_type", "eta", "lower_order_final"]}
    names |= {"unipc": ["order", "variant", "lower_order_final"]}
    names |= {"deis": ["order", "lower_order_final"], "dpm_2": []}
    words = [{"True": True, "False": False}.get(word, word) for word in text.split()]
    options = dict(zip(names.get(kind, ["order"]), words, strict=False))
    numbers = {"order": int, "eta": float}
    found = {key: numbers.get(key, lambda v: v)(value) for key, value in options.items()}
    # The samplers of k-diffusion are not reduced before a last step above 0
    return found | ({"lower_order_final": False} if kind == "dpmpp" and len(words) == 3 else {})


@pytest.mark.parametrize("name", RESULTS)
def test_runs_of_the_public_programs(name):
    kind, text, grid, _ = name.split("/")
    options = options_of(kind, text)
    noise = Replayed(RUNS["noise"]) if options.get("eta") else unused
    sampler, sigmas = components.load("samplers", kind), tensor(RUNS[f"sigmas/{grid}"])
    x = sampler(Mixture(STORED, "gmm_a"), LATENTS, sigmas, noise=noise, **options)
    assert x.dtype == torch.float64
    assert_close(x[0], RESULTS[name], 1e-9)
