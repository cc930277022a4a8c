"""Guidance: exact walks, controls of the same strength, statistics of its effect, files."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from exact import EpsModel, Gaussian, printed, std_of
from exact import Sources as Tracked
from resolved import sampler as resolved
from test_classifiers import CPU, IDENTITY, TRAINING

from uncanny.diffusion import schedules
from uncanny.evaluation import score_records, scoring
from uncanny.guidance import noisy_classifier
from uncanny.guidance.guided_batches import GuidanceStatistics, GuidedDiscrete
from uncanny.registry import components
from uncanny.runtime import files
from uncanny.runtime.random_streams import image_seeds
from uncanny.samplers.ancestral import ancestral
from uncanny.samplers.ddim import ddim
from uncanny.sampling import drawing, job
from uncanny.sampling.sample_files import load_images
from uncanny.training import classifiers, segments

MODEL = {
    "dataset": "digits",
    "process": IDENTITY["process"],
    "schedule": IDENTITY["schedule"],
    "network": {"kind": "unet", "width": 8, "multipliers": [1, 2], "blocks": 1, "attention": [], "dropout": 0.0},
    "training": {"batch_size": 50, "lr": 0.002, "ema": {"kind": "constant", "beta": 0.9}},
    "conditional": False,
}  # fmt: skip
DDIM = resolved("discrete", {"kind": "ddim", "num_steps": 12, "times": "ddim"})
MARK = resolved("discrete", {"kind": "ancestral", "num_steps": 12})
SEEDS = image_seeds(0, 0, 8)
X = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
LABELS = torch.arange(5)


@pytest.fixture(scope="module")
def paths(data, tmp_path_factory):
    """Files of a model and of two classifiers."""
    folder = tmp_path_factory.mktemp("run")
    segments.run(
        identity=MODEL, seed=0, epoch=2, dataset=data.folder, previous=None,
        checkpoint=folder / "model.pt", history=folder / "model.json", threads=1,
    )  # fmt: skip
    for name, epochs in (("noisy", 8), ("untrained", 0)):
        identity = IDENTITY | {"training": TRAINING | {"epochs": epochs}}
        classifiers.run(
            identity=identity, dataset=data.folder, checkpoint=folder / f"{name}.pt",
            report=folder / f"{name}.json", threads=1,
        )  # fmt: skip
    return {name: folder / f"{name}.pt" for name in ("model", "noisy", "untrained")}


@pytest.fixture(scope="module")
def model(paths):
    from uncanny.runtime import checkpoints

    return drawing.Trained.of(checkpoints.load(paths["model"]), CPU)


@pytest.fixture(scope="module")
def known(paths):
    return {name: noisy_classifier.load(paths[name], CPU) for name in ("noisy", "untrained")}


def made(known, kind="classifier", **options):
    return components.load("guidances", kind)(known, **options)


def direction(guidance, x=X, labels=LABELS, seeds=range(5), t=400):
    times = torch.tensor([t, -1])
    walked = EpsModel(Gaussian(), schedules.linear(1000))
    return GuidedDiscrete(guidance, walked, times, labels, list(seeds)).gradient(x, t)


# --- Exact walks ---------------------------------------------------------------------------------


class Shrink:
    """A classifier that prefers 0: gradient -x/2."""

    id = "shrink"

    def gradient(self, x, t, labels):
        return -0.5 * x

    def log_p(self, x, t, labels):
        return -0.25 * x.flatten(1).square().sum(dim=1)


def guided_std(sampler, schedule, times, draws, **options):
    sources = Tracked(draws)
    walked = EpsModel(Gaussian(), schedule)
    guidance = made({"shrink": Shrink()}, classifier="shrink", scale=1.0)
    seen = GuidedDiscrete(guidance, walked, times, torch.zeros(1, dtype=torch.int64), [0], statistics=GuidanceStatistics(1000))  # fmt: skip
    x = sampler(
        seen,
        sources.start(),
        times,
        noise=sources.noise,
        clip=False,
        gradient=seen.gradient,
        **options,
    )
    return std_of(x)


@pytest.mark.parametrize(
    ("schedule", "at", "expected"),
    [("linear", "x_t", "0.420282"), ("linear", "mean", "0.420557"), ("cosine", "x_t", "0.421830")],
)
def test_exact_std_of_a_guided_ancestral_walk(schedule, at, expected):
    times = schedules.ancestral_times(1000, 1000)
    betas = getattr(schedules, schedule)(1000)
    assert guided_std(ancestral, betas, times, 1000, guidance_at=at) == printed(expected)


@pytest.mark.parametrize(("schedule", "expected"), [("linear", 0.039159), ("cosine", 0.159067)])
def test_exact_std_of_a_guided_ddim_walk(schedule, expected):
    times = schedules.ddim_times(1000, 1000)
    result = guided_std(ddim, getattr(schedules, schedule)(1000), times, 0)
    assert result == pytest.approx(expected, abs=1e-6)  # printed from single precision


# --- Directions ----------------------------------------------------------------------------------


def test_the_gradient_is_scaled_and_points_uphill(known):
    one, five = (direction(made(known, classifier="noisy", scale=s)) for s in (1.0, 5.0))
    assert torch.equal(five, 5 * one)
    assert one.dtype == torch.float64
    before, after = (known["noisy"].log_p(x, 400, LABELS) for x in (X, X + 0.01 * one))
    assert (after > before).all()


def test_the_step_that_shifts_differs_between_labels(known):
    guidance = made(known, classifier="noisy")
    assert not torch.allclose(direction(guidance), direction(guidance, labels=LABELS + 1))


@pytest.mark.parametrize("kind", ["norm_matched", "random_direction"])
def test_controls_have_exactly_the_norm_of_the_trained_gradient(known, kind):
    options = {"classifier": "untrained"} if kind == "norm_matched" else {}
    result = direction(made(known, kind, norm_of="noisy", scale=2.0, **options))
    wanted = 2 * known["noisy"].gradient(X, 400, LABELS)
    norms, expected = (g.flatten(1).norm(dim=1).tolist() for g in (result, wanted))
    assert norms == pytest.approx(expected, rel=1e-12)


def test_norm_matching_keeps_the_untrained_direction(known):
    result = direction(made(known, "norm_matched", classifier="untrained", norm_of="noisy"))
    own = known["untrained"].gradient(X, 400, LABELS)
    cosine = torch.nn.functional.cosine_similarity(result.flatten(1), own.flatten(1))
    assert cosine.tolist() == pytest.approx([1.0] * 5, rel=1e-12)


def test_a_random_direction_is_a_function_of_the_seed_and_not_the_noise_of_the_walk(known):
    guidance = made(known, "random_direction", norm_of="noisy")
    together = direction(guidance)
    alone = direction(guidance, X[3:4], LABELS[3:4], [3])
    assert torch.allclose(together[3], alone[0], atol=1e-6, rtol=0)
    assert not torch.allclose(together, direction(guidance, seeds=range(5, 10)), atol=1e-3)
    streams = drawing.ImageStreams(range(5))
    of_sampling = [streams.latents((1, 8, 8)).double(), streams.noise(0, X), streams.noise(1, X)]
    for noise in of_sampling:
        cosine = torch.nn.functional.cosine_similarity(noise.flatten(), together.flatten(), dim=0)
        assert abs(float(cosine)) < 4 / math.sqrt(X.numel())


def test_random_directions_are_fresh_at_each_step(known):
    guidance = made(known, "random_direction", norm_of="noisy")
    walked = EpsModel(Gaussian(), schedules.linear(1000))
    guided = GuidedDiscrete(guidance, walked, torch.tensor([400, 200, -1]), LABELS, range(5))
    assert not torch.allclose(guided.gradient(X, 400), guided.gradient(X, 400), atol=1e-3)


def test_a_gradient_that_is_not_finite_names_step_t_and_scale(known):
    walked, times = EpsModel(Gaussian(), schedules.linear(1000)), torch.tensor([900, 400, 20, -1])
    guidance = made(known, classifier="noisy", scale=3.0)
    guided = GuidedDiscrete(guidance, walked, times, LABELS, range(5))
    with pytest.raises(ValueError, match=r"not finite at step 2 of 3 \(t = 400, scale = 3\)"):
        guided.gradient(X * math.inf, 400)


def test_a_classifier_that_was_not_given_is_named(known):
    with pytest.raises(
        ValueError, match="classifier 'nosy' is not known; expected one of: noisy, untrained"
    ):
        made(known, classifier="nosy")
    with pytest.raises(ValueError, match="scale is inf; expected a finite number"):
        made(known, classifier="noisy", scale=math.inf)


def test_options_of_guidances_are_read_from_their_signatures():
    shipped = {"classifier", "inpainting", "norm_matched", "random_direction"}
    assert shipped <= set(components.kinds("guidances"))
    assert components.resolve(
        "guidances", "classifier", {"classifier": "noisy"}, "guidances.G1"
    ) == {
        "classifier": "noisy",
        "scale": 1.0,
    }


def test_samplers_say_whether_they_can_be_guided():
    able = {
        kind
        for kind in components.kinds("samplers")
        if components.takes("samplers", kind, "gradient")
    }
    assert able >= {"ancestral", "ddim", "phase_euler", "sscs"}
    assert not able & {"heun", "annealed_langevin", "probability_flow"}


# --- Guided walks of a model ---------------------------------------------------------------------


@pytest.mark.parametrize("options", [DDIM, MARK], ids=lambda o: o["kind"])
def test_scale_zero_is_no_guidance(model, known, options):
    free = drawing.draw_images(model, options, SEEDS)
    idle = drawing.draw_images(model, options, SEEDS, made(known, classifier="noisy", scale=0.0))
    assert torch.allclose(free.images, idle.images, atol=1e-5, rtol=0)
    assert free.labels.tolist() == idle.labels.tolist()
    assert free.nfe == idle.nfe == 12
    assert free.deciles is None


@pytest.mark.parametrize("options", [DDIM, MARK], ids=lambda o: o["kind"])
@pytest.mark.parametrize("kind", ["classifier", "norm_matched", "random_direction"])
def test_a_guided_image_is_a_function_of_its_seed_not_of_its_batch(
    model, known, monkeypatch, options, kind
):
    names = {"classifier": "untrained"} if kind == "norm_matched" else {}
    names |= {"classifier": "noisy"} if kind == "classifier" else {"norm_of": "noisy"}
    guidance = made(known, kind, scale=2.0, **names)
    together = drawing.draw_images(model, options, SEEDS, guidance)
    monkeypatch.setattr(drawing, "BATCH_VALUES", 3 * 64)
    apart = drawing.draw_images(model, options, SEEDS, guidance)
    assert torch.allclose(together.images, apart.images, atol=1e-3, rtol=0)
    for one, other in zip(together.deciles, apart.deciles, strict=True):
        assert one.pop("t") == other.pop("t")
        assert one == pytest.approx(other, rel=1e-3)


class Scarce(torch.nn.Module):
    """A network that needs memory for more than `rows` images from its third evaluation on."""

    def __init__(self, network, rows):
        super().__init__()
        self.network, self.rows, self.calls = network, rows, 0

    def forward(self, x, *more):
        self.calls += 1
        if self.calls > 2 and len(x) > self.rows:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.network(x, *more)


def test_what_memory_does_not_hold_at_once_is_drawn_in_smaller_batches(model, known, capsys):
    guidance = made(known, classifier="noisy", scale=2.0)
    enough = drawing.draw_images(model, DDIM, SEEDS, guidance)
    scarce = dataclasses.replace(model, network=Scarce(model.network, rows=2))
    result = drawing.draw_images(scarce, DDIM, SEEDS, guidance)
    assert enough.batch_size == len(SEEDS)
    assert result.batch_size <= 2
    assert "out of memory: batches of 2 images" in capsys.readouterr().out
    assert torch.allclose(enough.images, result.images, atol=1e-3, rtol=0)
    assert result.nfe == enough.nfe
    for one, other in zip(enough.deciles, result.deciles, strict=True):
        assert one.pop("t") == other.pop("t")
        assert one == pytest.approx(other, rel=1e-3)


def test_memory_for_no_image_at_all_is_an_error(model):
    scarce = dataclasses.replace(model, network=Scarce(model.network, rows=0))
    with pytest.raises(ValueError, match=r"^one image needs more memory than is free on cpu; exp"):
        drawing.draw_images(scarce, DDIM, SEEDS)


def test_trained_guidance_reaches_its_class_and_untrained_does_not(model, known):
    seeds = image_seeds(0, 0, 48)

    def reached(guidance):
        drawn = drawing.draw_images(model, MARK, seeds, guidance)
        return float(known["noisy"].log_p(drawn.images.clamp(-1, 1), 0, drawn.labels).mean())

    with torch.no_grad():
        free, trained, misguided = (
            reached(g)
            for g in (
                None,
                made(known, classifier="noisy", scale=5.0),
                made(known, classifier="untrained"),
            )
        )
    assert trained > free + 1
    assert abs(misguided - free) < 0.3


def test_statistics_of_guidance(model, known):
    guidance = made(known, classifier="noisy", scale=2.0)
    result = drawing.draw_images(
        model,
        resolved("discrete", {"kind": "ddim", "num_steps": 20, "times": "ddim"}),
        SEEDS,
        guidance,
    ).deciles
    assert [entry["decile"] for entry in result] == list(range(10))
    assert all(entry["steps"] == 2 for entry in result)
    for entry in result:
        assert 0 < entry["rho_mark"] <= entry["rho_mark_max"] < entry["gradient_rms"] * 1.5
        assert 0 < entry["rho_ddim"] <= entry["rho_ddim_max"]
        assert entry["log_p"] < 0
    assert result[0]["log_p"] > result[-1]["log_p"]  # guided towards y from step to step


def test_statistics_by_hand(known):
    """One step of a walk: eps, Sigma and the prediction as the definitions have them."""
    guidance, times = made(known, classifier="noisy", scale=3.0), torch.tensor([700, 300, -1])
    walked = EpsModel(Gaussian(), schedules.linear(1000))
    statistics = GuidanceStatistics(1000)
    guided = GuidedDiscrete(
        guidance, walked, times, LABELS, range(5), variance="large", statistics=statistics
    )
    eps = guided(X, 700)
    g = guided.gradient(X, 700)
    a, b = walked.alphas_cumprod[[700, 300]]
    rms = g.flatten(1).square().mean(dim=1).sqrt()
    x0 = ((X - (1 - a).sqrt() * eps) / a.sqrt()).clamp(-1, 1)
    (entry,) = statistics.report()
    ratio = (1 - a).sqrt() * rms / eps.flatten(1).square().mean(dim=1).sqrt()
    assert entry["rho_mark"] == pytest.approx(float(((1 - a / b).sqrt() * rms).mean()))
    assert entry["rho_ddim"] == pytest.approx(float(ratio.mean()))
    assert entry["log_p"] == pytest.approx(float(known["noisy"].log_p(x0, 0, LABELS).mean()))
    assert entry["t"] == [700, 799]


def test_only_the_first_images_of_a_seed_have_log_p(known):
    guidance, times = made(known, classifier="noisy"), torch.tensor([700, -1])
    for seeds, has_log_p in ((range(100, 105), False), (range(2_000_000, 2_000_005), True)):
        statistics = GuidanceStatistics(1000)
        guided = GuidedDiscrete(guidance, EpsModel(Gaussian(), schedules.linear(1000)), times, LABELS, list(seeds), statistics=statistics)  # fmt: skip
        guided(X, 700)
        guided.gradient(X, 700)
        assert (statistics.report()[0]["log_p"] is not None) == has_log_p


def test_a_model_that_predicts_nothing_has_no_relative_shift(known):
    guidance, times = made(known, classifier="noisy"), torch.tensor([700, -1])
    silent = EpsModel(lambda x, sigma: x, schedules.linear(1000))
    statistics = GuidanceStatistics(1000)
    guided = GuidedDiscrete(guidance, silent, times, LABELS, range(5), statistics=statistics)
    guided(X, 700)
    guided.gradient(X, 700)
    assert statistics.report()[0]["rho_ddim"] is None or statistics.report()[0]["rho_ddim"] > 1e10


def test_without_statistics_images_are_the_same(model, known):
    guidance = made(known, classifier="noisy")
    kept = drawing.draw_images(model, MARK, SEEDS, guidance)
    free = drawing.draw_images(model, MARK, SEEDS, guidance, with_statistics=False)
    assert torch.equal(kept.images, free.images)
    assert free.deciles is None


def test_samplers_without_a_gradient_are_refused(model, known):
    euler = resolved("continuous", {"kind": "euler", "num_steps": 2, "grid": "polynomial"})
    with pytest.raises(ValueError, match="sampler 'euler' takes no gradient: it cannot be guided"):
        drawing.draw_images(model, euler, SEEDS, made(known, classifier="noisy"))


# --- Files ---------------------------------------------------------------------------------------

G1 = {"kind": "classifier", "classifier": "noisy", "scale": 1.0}


def run(paths, tmp_path, **changes):
    arguments = {
        "checkpoint": paths["model"], "identity": MODEL, "seed": 0, "sampler": MARK, "draw": 0, "num_images": 6,
        "samples": tmp_path / "s.npz", "record": tmp_path / "s.json", "threads": 1,
        "guidance": G1, "classifiers": {"noisy": paths["noisy"]},
    }  # fmt: skip
    job.run(**arguments | changes)
    return load_images(tmp_path / "s.npz"), files.read_json(tmp_path / "s.json")


def test_a_record_says_how_its_images_were_guided(paths, tmp_path):
    (images, _), record = run(paths, tmp_path)
    assert len(images) == 6
    assert record["guidance"] == G1
    assert record["classifiers"] == {"noisy": files.read_json(paths["noisy"].with_suffix(".json"))["classifier"]}  # fmt: skip
    assert [entry["decile"] for entry in record["guidance_deciles"]] == list(range(10))
    first = (tmp_path / "s.npz").read_bytes()
    _, again = run(paths, tmp_path)
    assert (tmp_path / "s.npz").read_bytes() == first
    assert again | {"timing": 0} == record | {"timing": 0}


def test_a_record_without_guidance_says_so(paths, tmp_path):
    _, record = run(paths, tmp_path, guidance=None, classifiers={})
    assert record["guidance"] is None
    assert not {"classifiers", "guidance_deciles"} & set(record)


def test_a_gradient_that_is_not_finite_stops_the_job(paths, tmp_path):
    with pytest.raises(ValueError, match=r"gradient not finite at step .*scale = 1e\+308"):
        run(paths, tmp_path, guidance=G1 | {"scale": 1e308})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schedule", {"kind": "cosine", "offset": 0.008, "max_beta": 0.999}),
        ("process", {"kind": "discrete", "num_levels": 500}),
    ],
)
def test_a_classifier_of_another_noise_schedule_is_refused(paths, data, tmp_path, key, value):
    other = IDENTITY | {key: value, "training": TRAINING | {"epochs": 0}}
    path = tmp_path / "other.pt"
    classifiers.run(
        identity=other, dataset=data.folder, checkpoint=path, report=tmp_path / "r.json", threads=1
    )
    with pytest.raises(
        ValueError, match=rf"other\.pt: classifier made for {key} .* guided model has"
    ):
        run(paths, tmp_path, classifiers={"noisy": path})


def test_scores_carry_scale_and_classifier(paths, tmp_path):
    """From the sample record to the columns of the table."""
    _, record = run(paths, tmp_path, guidance=G1 | {"scale": 2.5})
    parameters = {key: record[key] for key in ("sampler", "guidance")}
    cell = {"study": "s", "dataset": "digits", "model": "m", "seed": 0, "sampler": "MARK", "guidance": "G1", "draw": 0, "epoch": 2}  # fmt: skip
    (row,) = score_records.tidy(
        [{"cell": cell, "status": "diverged", "parameters": parameters}]
    ).to_dict("records")
    assert row["scale"] == 2.5
    assert row["clf_id"] == "noisy"


def test_a_score_record_keeps_what_guidance_did(paths, data, tmp_path):
    from uncanny.evaluation import extractors, features
    from uncanny.evaluation.extractors.classifier import classifier

    _, record = run(paths, tmp_path, num_images=40)
    extractors.save(tmp_path / "cnn.pt", classifier(data, width=4, epochs=1))
    network = extractors.load(tmp_path / "cnn.pt")
    features.load_or_extract(tmp_path / "reference.npz", network, np.array(data.test.images), 256, data.test.labels)  # fmt: skip
    drawn = scoring.SampleSet(
        samples=tmp_path / "s.npz", record=tmp_path / "s.json", extractor=tmp_path / "cnn.pt",
        reference=tmp_path / "reference.npz", cell={"dataset": "digits"}, identity=MODEL, device="cpu",
        evaluation={"reference": "test", "metrics": {"accuracy": {"kind": "class_accuracy"}}},
    )  # fmt: skip
    scoring.score_samples(drawn, tmp_path / "f.npz", tmp_path / "score.json")
    result = files.read_json(tmp_path / "score.json")
    assert result["parameters"]["guidance"] == G1
    assert result["guidance_deciles"] == record["guidance_deciles"]
    assert result["classifiers"] == record["classifiers"]
