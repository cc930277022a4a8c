"""Phase-space models from training to images: a family like any other, in an augmented state."""

import math

import numpy as np
import pytest
import torch
from resolved import sampler as resolved
from test_classifiers import NETWORK as ENCODER
from test_classifiers import TRAINING
from test_phase_space import Ideal

from uncanny.datasets import Dataset, to_uint8
from uncanny.datasets.gaussian_ring import gaussian_ring
from uncanny.diffusion.processes.phase_space import phase_space
from uncanny.guidance import noisy_classifier
from uncanny.networks import building
from uncanny.registry import components
from uncanny.runtime import checkpoints, files
from uncanny.runtime.random_streams import image_seeds
from uncanny.sampling import drawing, job, shards
from uncanny.sampling.sample_files import load_images
from uncanny.training import classifiers, segments

CPU = torch.device("cpu")
PROCESS = {
    "kind": "phase_space",
    "recipe": {"kind": "psld", "gamma": 0.25, "nu": None, "inverse_mass": None, "damping": "critical"},
    "beta_0": 8.0, "beta_1": None, "kappa": 0.04, "objective": "hsm", "factor": "lower",
    "mixed_score": False, "condition": "t", "epsilon_t": 0.00001,
}  # fmt: skip
CLD = PROCESS | {"recipe": {"kind": "cld", "inverse_mass": 4.0}}
VP = PROCESS | {"recipe": {"kind": "vp"}, "beta_0": 0.1, "beta_1": 20.0}
UNET = {"kind": "song_unet", "width": 8, "multipliers": [1], "blocks": 1, "attention": [], "dropout": 0.0}  # fmt: skip
IDENTITY = {
    "dataset": "digits",
    "process": PROCESS,
    "schedule": None,
    "network": UNET,
    "training": {
        "batch_size": 100, "lr": 0.002, "grad_clip": 1.0, "lr_rampup_images": 500, "lr_from_zero": True,
        "ema": {"kind": "constant", "beta": 0.9},
    },
    "conditional": False,
}  # fmt: skip
ENDS = {"times": "ends", "num_steps": None}
SAMPLING = {
    "num_steps": 5,
    "times": "quadratic",
    "epsilon_s": 0.001,
    "denoise": True,
    "pixels": "round",
}
EULER_OPTIONS = {
    "kind": "phase_euler",
    "denoise_drift": "sde",
    "corrector": "none",
    "snr": 0.16,
} | SAMPLING
SSCS_OPTIONS = EULER_OPTIONS | {"kind": "sscs", "order": 2}
FLOW_OPTIONS = (
    {"kind": "probability_flow", "tol": 0.01, "denoise_drift": "ode", "max_nfe": 2000}
    | SAMPLING
    | ENDS
)
EULER, SSCS, FLOW = (
    resolved("phase_space", options) for options in (EULER_OPTIONS, SSCS_OPTIONS, FLOW_OPTIONS)
)
SEEDS = image_seeds(0, 0, 7)


def segment(data, path, epoch=1, previous=None, **changes):
    segments.run(
        identity=IDENTITY | changes, seed=0, epoch=epoch, dataset=data.folder, previous=previous,
        checkpoint=path, history=path.with_suffix(".json"), threads=1,
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def checkpoint(data, tmp_path_factory):
    return segment(data, tmp_path_factory.mktemp("run") / "epoch-1.pt")


@pytest.fixture(scope="module")
def model():
    """A model whose network is the best for data N(0.3, 0.25): what a trained one comes near."""
    family = building.build_family(IDENTITY)
    return drawing.Trained(family, Ideal(family.process), (1, 8, 8), 10, False)


@pytest.mark.parametrize(
    ("process", "inputs", "outputs"),
    [(PROCESS, 2, 2), (CLD, 2, 1), (CLD | {"factor": "upper"}, 2, 2), (VP, 1, 1)],
)
def test_the_network_sees_the_state_and_predicts_what_is_needed(process, inputs, outputs):
    network = building.build_network(IDENTITY | {"process": process}, (1, 8, 8), 10)
    assert network.stem.in_channels == inputs
    assert network.head.out_channels == outputs


@pytest.mark.parametrize("process", [PROCESS, CLD, VP, PROCESS | {"objective": "dsm"}])
def test_training_lowers_the_loss(data, tmp_path, process):
    path = segment(data, tmp_path / "epoch-2.pt", 2, process=process)
    history = files.read_json(path.with_suffix(".json"))["history"]
    assert history[1]["loss"] < history[0]["loss"]
    assert history[0]["lr"] == pytest.approx(0.002)


def test_the_first_update_is_made_at_rate_zero():
    from uncanny.training.loop import learning_rate

    options = IDENTITY["training"]
    rates = [learning_rate(options, step) for step in range(7)]
    assert rates == pytest.approx([0, 0.0004, 0.0008, 0.0012, 0.0016, 0.002, 0.002])
    later = options | {"lr_from_zero": False}
    assert learning_rate(later, 0) == pytest.approx(0.0004)


def test_segments_equal_an_uninterrupted_run(data, checkpoint, tmp_path):
    whole = segment(data, tmp_path / "whole.pt", 2)
    second = segment(data, tmp_path / "second.pt", 2, checkpoint)
    assert checkpoints.digest(checkpoints.load(whole)) == checkpoints.digest(checkpoints.load(second))  # fmt: skip


@pytest.mark.parametrize("options", [EULER, SSCS, FLOW], ids=lambda o: o["kind"])
def test_an_image_does_not_depend_on_its_batch(model, monkeypatch, options):
    together = drawing.draw_images(model, options, SEEDS)
    assert together.images.shape == (7, 1, 8, 8)
    assert model.batch_size == drawing.BATCH_VALUES // 128
    monkeypatch.setattr(drawing, "BATCH_VALUES", 3 * 128)
    apart = drawing.draw_images(model, options, SEEDS)
    alone = drawing.draw_images(model, options, SEEDS[4:5])
    assert torch.allclose(together.images, apart.images, atol=1e-4, rtol=0)
    assert torch.allclose(together.images[4], alone.images[0], atol=1e-4, rtol=0)
    assert together.nfe == pytest.approx(apart.nfe, rel=0.02)


def test_evaluations(model):
    assert drawing.draw_images(model, EULER, SEEDS).nfe == 5
    assert drawing.draw_images(model, SSCS, SEEDS).nfe == 9
    each = [drawing.draw_images(model, FLOW, [seed]).nfe for seed in SEEDS]
    together = drawing.draw_images(model, FLOW, SEEDS).nfe
    assert all(isinstance(nfe, int) for nfe in each)
    assert together == pytest.approx(sum(each) / len(each), rel=0.02)


def test_a_model_may_be_conditional(data, tmp_path):
    """Labels follow their images where a sampler goes on with some of them."""
    path = segment(data, tmp_path / "epoch-1.pt", conditional=True)
    model = drawing.Trained.of(checkpoints.load(path), CPU)
    model.network.double()
    for options in (EULER, FLOW):
        together = drawing.draw_images(model, options, SEEDS)
        alone = drawing.draw_images(model, options, SEEDS[2:3])
        assert torch.allclose(together.images[2], alone.images[0], atol=0, rtol=1e-6)


def run(checkpoint, tmp_path, **changes):
    name = f"{changes.get('first', 0)}-{changes.get('num_images', 6)}"
    arguments = {
        "checkpoint": checkpoint, "identity": IDENTITY, "seed": 0, "sampler": EULER, "draw": 0, "num_images": 6,
        "samples": tmp_path / f"{name}.npz", "record": tmp_path / f"{name}.json", "threads": 1,
    }  # fmt: skip
    job.run(**arguments | changes)
    return load_images(tmp_path / f"{name}.npz")[0], files.read_json(tmp_path / f"{name}.json")


def test_parts_of_an_adaptive_walk_make_the_whole(checkpoint, tmp_path):
    images, whole = run(checkpoint, tmp_path, sampler=FLOW)
    spans = [(0, 4), (4, 2)]
    for first, number in spans:
        run(checkpoint, tmp_path, sampler=FLOW, first=first, num_images=number)
    sets = [tmp_path / f"{first}-{number}.npz" for first, number in spans]
    shards.gather(
        parts=sets, records=[p.with_suffix(".json") for p in sets],
        samples=tmp_path / "all.npz", record=tmp_path / "all.json",
    )  # fmt: skip
    assert np.abs(load_images(tmp_path / "all.npz")[0].astype(int) - images).max() <= 1
    assert files.read_json(tmp_path / "all.json")["nfe"] == pytest.approx(whole["nfe"], abs=1e-3)


def test_pixels_are_rounded_or_truncated(checkpoint, model, tmp_path, monkeypatch):
    monkeypatch.setattr(drawing.Trained, "of", lambda *_: model)
    images = drawing.draw_images(model, EULER, SEEDS[:6]).images
    rounded, record = run(checkpoint, tmp_path)
    assert record["nfe"] == 5
    assert np.array_equal(rounded, to_uint8(images).numpy())
    truncated, _ = run(
        checkpoint,
        tmp_path,
        sampler=resolved("phase_space", EULER_OPTIONS | {"pixels": "truncate"}),
    )
    expected = (255 * (images + 1) / 2).clip(0, 255).floor().to(torch.uint8).numpy()
    assert np.array_equal(truncated, expected)
    assert 0.05 < (rounded != truncated).mean() < 0.6


@pytest.mark.parametrize("condition", ["t", "log_t"])
def test_what_the_network_is_told(condition):
    family = phase_space(None, recipe={"kind": "psld"}, condition=condition)
    t = torch.tensor([1e-5, 1.0], dtype=torch.float64)
    expected = [1e-5, 1] if condition == "t" else [math.log(1e-5), 0]
    assert family.time_condition(t).tolist() == pytest.approx(expected)


def test_vectors(tmp_path):
    """Toy data in two dimensions, whose state has four."""
    gaussian_ring(tmp_path, n=400, n_test=20)
    data = Dataset.open(tmp_path)
    network = {"kind": "mlp", "width": 32, "hidden": 1}
    path = segment(data, tmp_path / "epoch-1.pt", network=network, dataset="gaussian_ring")
    model = drawing.Trained.of(checkpoints.load(path), CPU)
    assert model.network.head.out_features == 2 * data.shape[0]
    assert drawing.draw_images(model, SSCS, SEEDS).images.shape == (7, *data.shape)


# --- Guidance ------------------------------------------------------------------------------------

CLASSIFIER = {
    "dataset": "digits",
    "process": PROCESS,
    "schedule": None,
    "network": ENCODER,
    "training": TRAINING | {"epochs": 6},
}
G1 = {"kind": "classifier", "classifier": "noisy", "scale": 5.0}


@pytest.fixture(scope="module")
def noisy(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("classifier") / "noisy.pt"
    classifiers.run(
        identity=CLASSIFIER, dataset=data.folder, checkpoint=path,
        report=path.with_suffix(".json"), threads=1,
    )  # fmt: skip
    return path


def test_a_classifier_of_the_augmented_state_knows_what_little_noise_leaves(noisy):
    report = files.read_json(noisy.with_suffix(".json"))
    assert report["deciles"][0]["t"] == [0, 0.1]
    accuracy = [entry["accuracy"] for entry in report["deciles"]]
    assert accuracy[0] > 0.2
    assert accuracy[-1] < 0.2


def test_its_gradient_is_the_derivative_of_log_p(noisy):
    classifier = noisy_classifier.load(noisy, CPU)
    classifier.network.double()
    draws = torch.Generator().manual_seed(0)
    z, along = torch.randn(2, 4, 2, 8, 8, generator=draws, dtype=torch.float64)
    labels, h, t = torch.arange(4), 1e-5, 0.3
    slope = (classifier.gradient(z, t, labels) * along).flatten(1).sum(dim=1)
    ahead, behind = (classifier.log_p(z + k * h * along, t, labels) for k in (1, -1))
    assert slope.tolist() == pytest.approx(
        ((ahead - behind) / (2 * h)).tolist(), rel=1e-5, abs=1e-9
    )


@pytest.mark.parametrize("options", [EULER_OPTIONS, SSCS_OPTIONS], ids=lambda o: o["kind"])
def test_guidance_reaches_its_class(model, noisy, options):
    sampler = resolved("phase_space", options | {"num_steps": 30})
    seeds = image_seeds(0, 0, 32)
    known = noisy_classifier.load(noisy, CPU)
    guidance = components.load("guidances", "classifier")({"noisy": known}, classifier="noisy", scale=8.0)  # fmt: skip
    guided, free = (drawing.draw_images(model, sampler, seeds, g) for g in (guidance, None))
    assert guided.labels.tolist() == free.labels.tolist()
    first, last = guided.deciles[0], guided.deciles[-1]
    assert first["log_p"] > last["log_p"]
    assert first.keys() == {"decile", "t", "steps", "gradient_rms", "rho_score", "rho_score_max", "log_p", "log_p_n"}  # fmt: skip
    idle = components.load("guidances", "classifier")({"noisy": known}, classifier="noisy", scale=0.0)  # fmt: skip
    same = drawing.draw_images(model, sampler, seeds, idle)
    assert torch.allclose(same.images, free.images, atol=1e-4, rtol=0)
    assert first["log_p"] > same.deciles[0]["log_p"] + 0.05


def test_a_guided_image_does_not_depend_on_its_batch(model, noisy, monkeypatch):
    known = {"noisy": noisy_classifier.load(noisy, CPU)}
    for kind, names in (
        ("classifier", {"classifier": "noisy"}),
        ("random_direction", {"norm_of": "noisy"}),
    ):
        guidance = components.load("guidances", kind)(known, scale=2.0, **names)
        together = drawing.draw_images(model, EULER, SEEDS, guidance)
        alone = drawing.draw_images(model, EULER, SEEDS[3:4], guidance)
        assert torch.allclose(together.images[3], alone.images[0], atol=1e-3, rtol=0)


def test_a_guided_record(checkpoint, noisy, tmp_path):
    _, record = run(checkpoint, tmp_path, guidance=G1, classifiers={"noisy": noisy})
    assert record["guidance"] == G1
    assert set(record["classifiers"]) == {"noisy"}
    assert record["guidance_deciles"][0]["gradient_rms"] > 0


def test_a_classifier_of_another_process_is_refused(data, noisy, tmp_path):
    path = segment(data, tmp_path / "epoch-0.pt", 0, process=CLD)
    with pytest.raises(
        ValueError, match=r"classifier made for process .* but the guided model has"
    ):
        run(path, tmp_path, identity=IDENTITY | {"process": CLD}, guidance=G1, classifiers={"noisy": noisy})  # fmt: skip


def test_a_flow_cannot_be_guided(model, noisy):
    known = {"noisy": noisy_classifier.load(noisy, CPU)}
    guidance = components.load("guidances", "classifier")(known, classifier="noisy")
    with pytest.raises(
        ValueError, match="'probability_flow' takes no gradient: it cannot be guided"
    ):
        drawing.draw_images(model, FLOW, SEEDS, guidance)


# --- Inpainting ----------------------------------------------------------------------------------

INPAINTING = {"kind": "inpainting", "mask": "right", "paste": True, "legacy_time": False}


def test_known_pixels_are_those_of_test_images(checkpoint, data, tmp_path):
    images, record = run(checkpoint, tmp_path, guidance=INPAINTING, dataset=data.folder)
    assert record["status"] == "ok"
    assert record["guidance"] == INPAINTING
    rows = drawing.chosen(SEEDS[:6], len(data.test.images))
    originals = data.test.images[rows]
    assert np.array_equal(images[..., :4], originals[..., :4])
    assert not np.array_equal(images[..., 4:], originals[..., 4:])
    with np.load(tmp_path / "0-6.npz") as stored:
        assert np.array_equal(stored["originals"], originals)
        assert stored["known"][..., :4].all() and not stored["known"][..., 4:].any()
    again, _ = run(checkpoint, tmp_path, guidance=INPAINTING, dataset=data.folder, first=2, num_images=2)  # fmt: skip
    assert np.abs(again.astype(int) - images[2:4]).max() <= 1


def test_parts_keep_originals_and_masks(checkpoint, data, tmp_path):
    masked = {"guidance": INPAINTING, "dataset": data.folder}
    run(checkpoint, tmp_path, **masked)
    sets = [tmp_path / "0-4.npz", tmp_path / "4-2.npz"]
    for first, number in ((0, 4), (4, 2)):
        run(checkpoint, tmp_path, **masked, first=first, num_images=number)
    shards.gather(
        parts=sets, records=[p.with_suffix(".json") for p in sets],
        samples=tmp_path / "all.npz", record=tmp_path / "all.json",
    )  # fmt: skip
    with np.load(tmp_path / "all.npz") as joined, np.load(tmp_path / "0-6.npz") as whole:
        assert set(joined.files) - {"seal"} == {"images", "labels", "originals", "known"}
        for name in ("originals", "known"):
            assert np.array_equal(joined[name], whole[name])


def test_inpainting_needs_images_and_a_sampler_that_can_be_held(checkpoint, data, tmp_path):
    with pytest.raises(ValueError, match="inpainting: no test images; expected those"):
        run(checkpoint, tmp_path, guidance=INPAINTING)
    with pytest.raises(ValueError, match="'probability_flow' takes no constrain"):
        run(checkpoint, tmp_path, guidance=INPAINTING, dataset=data.folder, sampler=FLOW)


# --- Names in a config ---------------------------------------------------------------------------


def test_recipes_are_blocks_within_processes():
    from uncanny.registry.blocks import named_within
    from uncanny.study.study import Study

    written = {"kind": "matrices", "D": [[0.5]], "Q": [[0]], "Sigma_inf": [[1]]}
    processes = {
        "short": {"kind": "phase_space", "recipe": "cld", "label": "CLD"},
        "long": {"kind": "phase_space", "recipe": {"kind": "psld", "gamma": 0.02}},
        "free": {"kind": "phase_space", "recipe": written},
        "wrong": {"kind": "phase_space", "recipe": {"kind": "psld", "gama": 0.02}},
        "none": {"kind": "phase_space"},
    }
    study = Study({"study": "s", "processes": processes})
    assert study.component("processes", "short") == CLD
    assert study.component("processes", "long")["recipe"]["damping"] == "critical"
    assert study.component("processes", "free")["recipe"] == written
    assert list(named_within(CLD)) == [("recipes", "cld")]
    with pytest.raises(ValueError, match=r"processes.wrong.recipe.gama: unknown option .* 'gamma'"):
        study.component("processes", "wrong")
    with pytest.raises(ValueError, match=r"processes.none.recipe: missing; expected dict"):
        study.component("processes", "none")


def test_the_code_of_a_model_includes_its_recipe():
    from uncanny.study.study import Study

    models = {"m": {"identity": {"dataset": "d", "process": "p", "network": "n", "training": "t"}}}
    config = {
        "study": "s", "models": models, "processes": {"p": {"kind": "phase_space", "recipe": "cld"}},
        "networks": {"n": UNET}, "training": {"t": {"batch_size": 1, "lr": 1.0}},
    }  # fmt: skip
    assert ("recipes", "cld") in Study(config).model_components("m")
    config["processes"] = {"p": {"kind": "phase_space", "recipe": "vp"}}
    assert ("recipes", "vp") in Study(config).model_components("m")


def test_the_code_of_an_experiment_includes_its_recipes():
    from uncanny.registry.blocks import named_within

    result = named_within({"recipes": {"a": {"kind": "cld"}, "b": {"kind": "psld"}}})
    assert list(result) == [("recipes", "cld"), ("recipes", "psld")]


def test_options_of_the_walk_are_known():
    options = components.init_options("phase_space")
    assert set(options) == {"num_steps", "times", "epsilon_s", "denoise", "pixels"}
    assert {"phase_euler", "sscs", "probability_flow"} <= set(components.kinds("samplers"))
    assert "phase_steps" not in components.kinds("samplers")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            EULER_OPTIONS | {"num_steps": None},
            "samplers.S.num_steps: None with times 'quadratic'; expected a",
        ),
        (
            EULER_OPTIONS | ENDS,
            "samplers.S.times: 'ends' for 'phase_euler'; expected ends for samplers with",
        ),
        (
            FLOW_OPTIONS | {"times": "uniform", "num_steps": 9},
            "samplers.S.times: 'uniform' for 'probability",
        ),
        (FLOW_OPTIONS | {"num_steps": 9}, "samplers.S.num_steps: 9 with times 'ends'"),
    ],
)
def test_steps_that_do_not_fit_the_sampler_are_found_before_anything_runs(options, message):
    from uncanny.study.checks import selections

    with pytest.raises(ValueError, match=message):
        selections.check_steps(options["kind"], options, "samplers.S")


@pytest.mark.parametrize("options", [EULER_OPTIONS, SSCS_OPTIONS, FLOW_OPTIONS])
def test_steps_that_fit(options):
    from uncanny.study.checks import selections

    selections.check_steps(options["kind"], options, "samplers.S")
