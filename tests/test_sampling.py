"""Drawing images: seeds, batches, counting, files."""

import numpy as np
import pytest
import torch
from resolved import sampler as resolved

from uncanny.runtime import checkpoints, files
from uncanny.runtime.random_streams import image_seeds
from uncanny.sampling import drawing, job, sample_sets
from uncanny.sampling.sample_files import load_images
from uncanny.training import loop, segments

NETWORK = {
    "kind": "song_unet",
    "width": 8,
    "multipliers": [1],
    "blocks": 1,
    "attention": [],
    "dropout": 0.0,
}
IDENTITY = {
    "dataset": "digits",
    "process": {
        "kind": "continuous",
        "preconditioning": "vp",
        "levels": "matched",
        "weight": "matched",
    },
    "schedule": None,
    "network": NETWORK,
    "training": {"batch_size": 100, "lr": 0.002, "ema": {"kind": "constant", "beta": 0.9}},
    "conditional": True,
}
OPTIONS = {
    "kind": "heun",
    "num_steps": 4,
    "grid": "polynomial",
    "S_churn": 2.0,
    "S_noise": 1.01,
}
HEUN = resolved("continuous", OPTIONS)


@pytest.fixture(scope="module")
def checkpoint(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "epoch-1.pt"
    segments.run(
        identity=IDENTITY, seed=0, epoch=1, dataset=data.folder, previous=None,
        checkpoint=path, history=path.with_suffix(".json"), threads=1,
    )  # fmt: skip
    return path


def drawn(checkpoint, seeds, options=HEUN):
    model = drawing.Trained.of(checkpoints.load(checkpoint), torch.device("cpu"))
    return drawing.draw_images(model, options, seeds)


def test_an_image_is_a_function_of_its_seed_not_of_its_batch(checkpoint, monkeypatch):
    seeds = image_seeds(0, 0, 12)
    together = drawn(checkpoint, seeds)
    monkeypatch.setattr(drawing, "BATCH_VALUES", 5 * 64)
    apart = drawn(checkpoint, seeds)
    alone = drawn(checkpoint, [seeds[7]])
    assert torch.allclose(together.images, apart.images, atol=1e-5, rtol=0)
    assert torch.allclose(together.images[7], alone.images[0], atol=1e-5, rtol=0)
    assert together.labels.tolist() == apart.labels.tolist()


def test_precision_is_that_of_the_network_alone(checkpoint):
    plain, rounded = (
        drawn(checkpoint, [0, 1]),
        drawn(checkpoint, [0, 1], HEUN | {"precision": "bf16"}),
    )
    assert torch.equal(plain.images, drawn(checkpoint, [0, 1], HEUN | {"precision": "fp32"}).images)
    assert rounded.images.dtype == torch.float64
    assert not torch.equal(plain.images, rounded.images)
    assert torch.allclose(plain.images, rounded.images, atol=0.2)


def test_draws_differ_and_repeat(checkpoint):
    first, again, other = (drawn(checkpoint, image_seeds(k, 0, 4)).images for k in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other, atol=0.1)


def test_labels_are_uniform_and_the_same_for_every_sampler(checkpoint):
    euler = resolved("continuous", {"kind": "euler", "num_steps": 2, "grid": "polynomial"})
    seeds = image_seeds(0, 0, 300)
    labels = drawn(checkpoint, seeds, euler).labels
    assert labels.tolist() == drawn(checkpoint, seeds).labels.tolist()
    assert torch.bincount(labels, minlength=10).min() > 10


def test_evaluations_are_counted(checkpoint):
    assert drawn(checkpoint, [0, 1]).nfe == 7


def run(checkpoint, tmp_path, **changes):
    arguments = {
        "checkpoint": checkpoint, "identity": IDENTITY, "seed": 0, "sampler": HEUN, "draw": 0, "num_images": 6,
        "samples": tmp_path / "s.npz", "record": tmp_path / "s.json", "threads": 1,
    }  # fmt: skip
    job.run(**arguments | changes)
    return load_images(tmp_path / "s.npz"), files.read_json(tmp_path / "s.json")


def test_files_hold_images_and_what_made_them(checkpoint, tmp_path):
    (images, labels), record = run(checkpoint, tmp_path)
    assert images.dtype == np.uint8
    assert images.shape == (6, 1, 8, 8)
    assert labels.shape == (6,)
    assert record["nfe"] == 7
    assert record["status"] == "ok"
    assert record["image_seeds"] == [0, 5]
    assert record["timing"]["ms_per_nfe"] > 0
    first = (tmp_path / "s.npz").read_bytes()
    run(checkpoint, tmp_path)
    assert (tmp_path / "s.npz").read_bytes() == first


def test_a_set_in_memory_is_that_of_the_files(checkpoint, tmp_path):
    (images, labels), record = run(checkpoint, tmp_path)
    model = drawing.Trained.of(checkpoints.load(checkpoint), torch.device("cpu"))
    result = sample_sets.draw_set(model, HEUN, image_seeds(0, 0, 6))
    assert np.array_equal(result.images, images)
    assert np.array_equal(result.labels, labels)
    assert {key: record[key] for key in ("nfe", "status")} == {"nfe": 7, "status": "ok"}
    assert result.facts | {"timing": 0} == {"nfe": 7, "status": "ok", "timing": 0}


def test_a_checkpoint_of_another_model_is_refused(checkpoint, tmp_path):
    other = IDENTITY | {"conditional": False}
    with pytest.raises(
        ValueError, match="made with other parameters: identity has conditional = True; expected"
    ):
        run(checkpoint, tmp_path, identity=other)
    assert not (tmp_path / "s.npz").exists()


def test_a_damaged_sample_set_is_named(checkpoint, tmp_path):
    run(checkpoint, tmp_path)
    content = (tmp_path / "s.npz").read_bytes()
    (tmp_path / "s.npz").write_bytes(content[:200])
    with pytest.raises(ValueError, match=r"s\.npz: not a whole set of samples"):
        load_images(tmp_path / "s.npz")


def test_divergence_travels_as_a_mark(data, tmp_path, monkeypatch):
    def diverge(*arguments):
        raise loop.Diverged("loss not finite at step 3 (epoch 1)", 3)

    monkeypatch.setattr(loop, "train", diverge)
    first, second = tmp_path / "epoch-1.pt", tmp_path / "epoch-2.pt"
    for path, previous, epoch in ((first, None, 1), (second, first, 2)):
        segments.run(
            identity=IDENTITY, seed=0, epoch=epoch, dataset=data.folder, previous=previous,
            checkpoint=path, history=path.with_suffix(".json"), threads=1,
        )  # fmt: skip
    assert files.read_json(second.with_suffix(".json"))["status"] == "diverged"
    (images, _), record = run(second, tmp_path)
    assert len(images) == 0
    assert record["status"] == "diverged"
    assert record["reason"] == "loss not finite at step 3 (epoch 1)"


def test_epoch_zero_is_the_untrained_model(data, tmp_path):
    path = tmp_path / "epoch-0.pt"
    segments.run(
        identity=IDENTITY, seed=0, epoch=0, dataset=data.folder, previous=None,
        checkpoint=path, history=path.with_suffix(".json"), threads=1,
    )  # fmt: skip
    state = checkpoints.load(path)
    assert state["step"] == 0
    (images, _), _ = run(path, tmp_path)
    assert len(images) == 6


def test_images_that_are_not_finite_are_marked(checkpoint, tmp_path):
    wild = resolved("continuous", OPTIONS | {"S_noise": 1e300, "S_churn": 40.0})
    (images, _), record = run(checkpoint, tmp_path, sampler=wild)
    assert len(images) == 0
    assert record["status"] == "diverged"
    assert record["reason"] == "6 of 6 images are not finite"


def test_vectors_are_kept_as_they_are():
    vectors = torch.tensor([[0.1, -3.0]], dtype=torch.float64)
    assert sample_sets.stored(vectors).dtype == np.float32
    assert sample_sets.stored(vectors).tolist() == [[np.float32(0.1), -3.0]]
