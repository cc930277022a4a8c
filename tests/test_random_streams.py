"""Tests of the seeded streams."""

import itertools

import pytest
import torch
from exact import arrays
from gpu import pretended

from uncanny.runtime import random_streams
from uncanny.runtime.random_streams import ImageStreams, generator, image_seeds, seed_of

STORED = arrays("samplers")
SHAPE = (3, 4, 4)


def test_streams_agree_bit_for_bit_with_the_reference():
    streams = ImageStreams(STORED["stacked_rng/seeds"].tolist())
    latents = streams.latents(SHAPE)
    labels = streams.class_labels(10)
    noise = streams.noise(0, latents.double())
    assert latents.dtype == torch.float32
    assert noise.dtype == torch.float64
    assert (latents.numpy() == STORED["stacked_rng/latents"]).all()
    assert labels.tolist() == STORED["stacked_rng/class_idx"].tolist()
    assert (noise.numpy() == STORED["stacked_rng/first_step_noise"]).all()


@pytest.mark.parametrize("shape", [SHAPE, (5,)])
def test_image_k_does_not_depend_on_the_batch(shape):
    def draws(seeds):
        streams = ImageStreams(seeds)
        x = streams.latents(shape)
        return [x, streams.class_labels(7), streams.noise(0, x), streams.noise(1, x)]

    for together, alone in zip(draws([4, 9, 2]), draws([9]), strict=True):
        assert torch.equal(together[1:2], alone)


def test_noise_is_like_the_state():
    streams = ImageStreams([0, 1])
    assert streams.noise(0, torch.zeros(2, 5)).dtype == torch.float32
    assert streams.noise(1, torch.zeros(2, 5).double()).shape == (2, 5)


LARGE = torch.zeros(24, 3, 32, 32, dtype=torch.float64)


@pytest.fixture
def several():
    """Three threads; their number before comes back."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield 3
    torch.set_num_threads(before)


def expected_noise(steps: int) -> list[torch.Tensor]:
    generators = [torch.Generator().manual_seed(seed) for seed in range(len(LARGE))]
    shape = LARGE.shape[1:]
    draw = [torch.randn(steps, *shape, generator=g, dtype=LARGE.dtype) for g in generators]
    return list(torch.stack(draw, dim=1))


def test_threads_generate_the_same_noise(several):
    streams = ImageStreams(range(24))
    for step, expected in enumerate(expected_noise(3)):
        assert torch.equal(streams.noise(step, LARGE), expected)
    assert streams._pool is not None


def test_an_accelerator_gets_the_same_noise_ahead_by_one_step(several, monkeypatch):
    filled, fill = [], random_streams._fill
    monkeypatch.setattr(random_streams, "_fill", lambda i, g: (filled.append(len(i)), fill(i, g)))
    with pretended.pretended():
        streams, like = ImageStreams(range(24)), LARGE.to("cuda:0")
        for step, expected in enumerate(expected_noise(3)):
            noise = streams.noise(step, like)
            assert torch.equal(pretended.numbers(noise), expected)
        with pytest.raises(RuntimeError, match=r"\(24, 3, 32, 32\), then \(24, 5\)"):
            streams.noise(3, torch.zeros(24, 5, device="cuda:0"))
        streams._pool.shutdown()
    assert sum(filled) == 24 * 4  # three steps, and one ahead


def test_an_error_in_a_thread_reaches_the_caller(several, monkeypatch):
    def fail(images, generators):
        raise MemoryError("no room")

    monkeypatch.setattr(random_streams, "_fill", fail)
    with pytest.raises(MemoryError, match="no room"):
        ImageStreams(range(24)).noise(0, LARGE)


def test_streams_leave_the_global_state_alone():
    before = torch.random.get_rng_state()
    streams = ImageStreams([0])
    streams.noise(0, streams.latents(SHAPE))
    torch.randn(3, generator=generator("a", 1))
    assert torch.equal(before, torch.random.get_rng_state())


def test_draws_out_of_order_are_refused():
    streams = ImageStreams([0])
    streams.class_labels(3)
    with pytest.raises(RuntimeError, match="latents come once, in the order"):
        streams.latents(SHAPE)
    streams.noise(0, torch.zeros(1, 2))
    with pytest.raises(RuntimeError, match="class labels come once, in the order"):
        streams.class_labels(3)


def test_generators_are_functions_of_their_keys():
    keys = [("a", 1), ("a", 2), ("b", 1), ("a1",), (1, "a"), ("1", "a"), ("a", 1, 0)]
    draws = {tuple(torch.randn(4, generator=generator(*key)).tolist()) for key in keys}
    again = {tuple(torch.randn(4, generator=generator(*key)).tolist()) for key in keys}
    assert len(draws) == len(keys)
    assert draws == again


def test_seed_of_is_the_same_for_ever():
    assert seed_of("weights", 0) == 5090308564985029914


@pytest.mark.parametrize("part", [1.5, None, True])
def test_keys_of_other_kinds_are_refused(part):
    with pytest.raises(ValueError, match="is neither an integer nor a string"):
        generator("a", part)


def test_image_seeds_continue_across_batches():
    assert image_seeds(0, 0, 3) == [0, 1, 2]
    assert image_seeds(2, 64, 2) == [2_000_064, 2_000_065]
    assert image_seeds(1, 0, 5) + image_seeds(1, 5, 5) == image_seeds(1, 0, 10)


def test_latents_belong_to_a_training_seed():
    """Those of seed 0 are EDM's; others have no image in common with any draw of it."""
    assert image_seeds(0, 0, 2, training_seed=0) == [0, 1]
    assert image_seeds(3, 7, 2, training_seed=1) == [6_952_000_007, 6_952_000_008]
    of_seeds = [ImageStreams(image_seeds(0, 0, 40, r)).latents(SHAPE) for r in range(3)]
    flat = torch.stack(of_seeds).reshape(3, -1)
    assert torch.corrcoef(flat)[~torch.eye(3, dtype=bool)].abs().max() < 0.1


def test_ranges_of_training_seeds_and_draws_do_not_meet():
    """As the streams take them, modulo 2^32: 40 training seeds with 40 draws of a million each."""
    starts = sorted(
        image_seeds(draw, 0, 1, seed)[0] % 2**32 for seed in range(40) for draw in range(40)
    )
    gaps = [after - before for before, after in itertools.pairwise(starts)]
    assert min([*gaps, starts[0] + 2**32 - starts[-1]]) >= 1_000_000


def test_image_seeds_of_draws_do_not_meet():
    last = image_seeds(0, random_streams.IMAGES_PER_DRAW - 1, 1)
    assert last[0] + 1 == image_seeds(1, 0, 1)[0]
    with pytest.raises(ValueError, match="1000001 images: a draw has at most 1000000"):
        image_seeds(0, 1, 1_000_000)
    with pytest.raises(ValueError, match="none may be negative"):
        image_seeds(0, -1, 5)
