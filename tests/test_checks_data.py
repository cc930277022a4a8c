"""Metrics, classes and attention that do not go with the data: refused by one message, before or once data are there."""

import copy
from pathlib import Path

import pytest
import yaml
from standin import Named, standin
from test_configuration import ROOT, SHIPPED, TINY, changed, plan

from uncanny.datasets import Expected, photos
from uncanny.estimate.data import of_dataset
from uncanny.evaluation import fewest_images, metrics
from uncanny.registry import components
from uncanny.study import known_data
from uncanny.study.checks import data as checks_data
from uncanny.workflow import jobs

PICS = {"kind": "images", "root": "nowhere", "resolution": 16, "classes": True}


def on_files(**changes):
    """The tiny study on a folder of images, of which the config knows neither number nor classes."""
    config = copy.deepcopy(TINY)
    config["datasets"] = {"pics": PICS | changes}
    config["extractors"]["tiny_cnn"]["dataset"] = "pics"
    config["evaluation"] = {"pics": {"extractor": "tiny_cnn", "metrics": ["is2", "kid"]}}
    for block in config["models"].values():
        block["identity"]["dataset"] = "pics"
    return config


def without_classes():
    config = on_files(classes=False)
    config["extractors"]["tiny_cnn"] = {"kind": "rotation", "dataset": "pics", "width": 8}
    config["models"]["ve_cond"]["identity"]["conditional"] = False
    config["figures"]["figure_3"]["panels"][0]["guidances"] = ["none"]
    config["tables"]["table_2"]["sampling"][0]["guidances"] = ["none"]
    return config


def with_value(config, path, value):
    config = copy.deepcopy(config)
    block = config
    for key in path[:-1]:
        block = block[key]
    block[path[-1]] = value
    return config


# ---- Numbers of images ------------------------------------------------------------------------


def test_every_metric_says_how_many_images_it_needs():
    kinds = set(components.kinds("metrics"))
    assert kinds == set(metrics.FEWEST)
    assert set(metrics.FEWEST_REFERENCE) < kinds


def _features_of(study, dataset):
    """Number of features that its metrics look at, which has to be known."""
    extractor = study.evaluation(dataset)["extractor"]
    shape = known_data.dataset(study, study.component("extractors", extractor)["dataset"]).shape
    result = known_data.features(study, extractor, shape)
    assert result is not None, (dataset, extractor)
    return result


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_every_metric_of_a_shipped_study_can_be_computed_or_is_left_out(path):
    study = plan(yaml.safe_load(path.read_text()))
    for dataset in study.config["evaluation"]:
        # As published, or as prepared: the config states both, or its kind does.
        data, features = of_dataset(study, dataset, Path("nowhere")), _features_of(study, dataset)
        block, images = study.evaluation(dataset), study.num_images(dataset)
        kept, lost = fewest_images.carried(block["metrics"], images, features)
        assert (kept, lost) == (block["metrics"], [])  # every cell carries every metric
        for metric in block["metrics"].values():
            needs, _ = fewest_images.of_reference(metric, features)
            assert getattr(data, block["reference"]) >= needs
        counts = Expected(data.shape, data.train, data.test, data.num_classes)
        checks_data._check_dataset(study, dataset, counts)


LEFT_OUT = {
    ("paper", "ffhq"): {"fid": (1400, 2049)},
    ("psld_paper", "afhqv2"): {"fid": (1467, 2049)},
}


def test_what_shipped_studies_leave_out_of_references():
    result = {}
    for path in SHIPPED:
        study = plan(yaml.safe_load(path.read_text()))
        for dataset in study.config["evaluation"]:
            data, block = of_dataset(study, dataset, Path("nowhere")), study.evaluation(dataset)
            n = min(data.test, study.num_images(dataset))
            _, lost = fewest_images.carried(block["metrics"], n, _features_of(study, dataset))
            if lost:
                result[path.stem, dataset] = {e["metric"]: (e["n"], e["needs"]) for e in lost}
    assert result == LEFT_OUT


NEEDS = [
    (("evaluation", "digits", "num_images"), 16, r"evaluation\.digits\.num_images: 16; metrics\.fid \(evaluation\.digits\) needs at least 17 images"),
    (("num_images",), 16, r"num_images: 16; metrics\.fid \(evaluation\.digits\) needs at least 17 images \(more than the 16 features\)"),
    (("metrics", "recall", "k"), 20, r"num_images: 40; metrics\.recall \(evaluation\.digits\) needs at least 42 images \(k = 20\)"),
    (("datasets", "digits", "test_fraction"), 0.001, r"evaluation\.digits\.reference: split 'test' has 2 images; metrics\.fid .* needs at least 17 images"),
    (("sample_sizes",), [4, 8, 12, 16], r"sample_sizes: at most 16 images; metrics\.fid \(evaluation\.digits\), drawn by figures\.figure_5, needs at least 17"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "message"), NEEDS, ids=lambda v: str(v)[:20])
def test_a_metric_that_nothing_carries_is_refused(path, value, message):
    config = copy.deepcopy(TINY)
    config["metrics"] |= {"fid": {"kind": "fid"}, "recall": {"kind": "recall"}}
    config["evaluation"]["digits"] |= {
        "metrics": ["kid", "fid", "recall", "is2"],
        "reference": "test",
    }
    config["figures"]["figure_5"]["metric"] = "fid"
    plan(config)
    with pytest.raises(ValueError, match=message):
        plan(with_value(config, path, value))


def test_an_experiment_may_have_too_few_images_of_its_own():
    config = yaml.safe_load((ROOT / "config/design_space_paper.yaml").read_text())
    name = next(n for n, block in config["experiments"].items() if "num_images" in block or "models" in block)  # fmt: skip
    message = rf"experiments\.{name}\.num_images: 2048; metrics\.fid .* needs at least 2049"
    with pytest.raises(ValueError, match=message):
        plan(with_value(config, ("experiments", name, "num_images"), 2048))


# ---- Classes ----------------------------------------------------------------------------------

NO_CLASSES = "dataset 'pics' has no classes"
CLASSES = [
    (("models", "ve_cond", "identity", "conditional"), True, r"models\.ve_cond\.identity\.conditional: true, but "),
    (("extractors", "tiny_cnn", "kind"), "classifier", r"extractors\.tiny_cnn: kind classifier, but "),
    (("evaluation", "pics", "metrics"), ["is2", "kid", "accuracy"], r"evaluation\.pics\.metrics: 'accuracy' compares classes, but "),
    (("figures", "figure_3", "panels", 0, "guidances"), ["G2"], r"figures\.figure_3\.panels\[0\]\.guidances: 'G2' guides 'ddpm_cosine' towards classes, but "),
    (("tables", "table_2", "sampling", 0, "guidances"), ["G1"], r"tables\.table_2\.sampling\[0\]\.guidances: 'G1' guides 'ddpm_cosine' towards classes, but "),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "message"), CLASSES, ids=lambda v: str(v)[:20])
def test_classes_that_are_not_there_are_not_asked_for(path, value, message):
    config = without_classes()
    plan(config)
    with pytest.raises(ValueError, match=message + NO_CLASSES):
        plan(with_value(config, path, value))


def test_claims_are_not_judged_on_guidance_towards_classes_that_are_not_there():
    config = without_classes()
    cells = config["claims"]["C01"]["parts"]["quality"]["cells"]
    for side, guidance in (("a", "G1"), ("b", "none")):
        cells[side] = {"models": ["ddpm_cosine"], "samplers": ["DDIM"], "guidances": [guidance]}
    with pytest.raises(ValueError, match=r"claims\.C01\.parts\.quality\.cells\.a\.guidances: 'G1'"):
        plan(config)


@pytest.mark.parametrize("dataset", [{"kind": "photos"}, {"kind": "gaussian_ring"}])
def test_kinds_without_classes_are_known(dataset):
    config = changed(("datasets", "other"), dataset)
    config["extractors"]["other"] = {"kind": "rotation", "dataset": "other"}
    config["evaluation"]["other"] = {"extractor": "other", "metrics": ["is2", "kid"]}
    config["models"]["ve_cond"]["identity"]["dataset"] = "other"
    with pytest.raises(ValueError, match="dataset 'other' has no classes"):
        plan(config)


# ---- Attention --------------------------------------------------------------------------------


def with_attention(resolutions, side=28, **network):
    config = on_files(resolution=side)
    config["networks"]["ddpmpp"] |= {"attention": resolutions} | network
    return config


def test_attention_is_asked_for_where_it_can_be():
    assert plan(with_attention([14, 28]))
    for resolutions, side in (([16], 28), ([16], 80), ([14, 7], 28)):
        lost, there = resolutions[-1], f"{side}, {side // 2}"
        message = rf"networks\.ddpmpp\.attention: {lost}; expected resolutions that the network has, {there} with the images of 'pics'"
        with pytest.raises(ValueError, match=message):
            plan(with_attention(resolutions, side))


def test_a_network_may_serve_two_datasets():
    config = with_attention([14, 16])
    config["datasets"]["more"] = PICS | {"resolution": 32}
    config["evaluation"]["more"] = config["evaluation"]["pics"]
    with pytest.raises(ValueError, match=r"networks\.ddpmpp\.attention: 16; expected"):
        plan(config)
    config["models"]["more"] = {
        "identity": config["models"]["vp_uncond"]["identity"] | {"dataset": "more"}
    }
    assert plan(config)


def test_attention_of_a_classifier_that_guides_is_checked_too():
    config = on_files()
    config["networks"]["clf"]["attention"] = [4]
    with pytest.raises(ValueError, match=r"networks\.clf\.attention: 4; expected .* 16, 8 with"):
        plan(config)


def test_a_default_that_occurs_nowhere_is_said_at_the_start():
    config = with_attention([], side=28)
    assert checks_data.attention_notes(plan(config)) == []
    del config["networks"]["ddpmpp"]["attention"]
    (line,) = checks_data.attention_notes(plan(config))
    assert line == (
        "networks.ddpmpp.attention: [16], but with the images of 'pics' there are 28, 14: "
        "no level has attention"
    )
    assert checks_data.attention_notes(plan(changed(("datasets", "pics"), PICS))) == []


# ---- Once the data are there ------------------------------------------------------------------


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder of the name `pics`: patches without classes, few of them held out."""
    folder = tmp_path_factory.mktemp("datasets") / "pics"
    photos.photos(folder, scale=8, stride=4, test_fraction=0.2)
    assert 0 < checks_data.read_counts(folder).test < 33
    return folder


def job(config, folder, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("def main(snakemake):\n    print('it ran')\n")
    config = plan(config).config
    snakemake = standin(tmp_path / "logs/job.log", rule="train_model", config=config,
                        input=Named(dataset=str(folder / "dataset.json")), output=Named())  # fmt: skip
    status = jobs.execute(str(script), snakemake)
    return status, (tmp_path / "logs/job.log").read_text()


def test_a_job_refuses_data_that_do_not_carry_the_study(prepared, tmp_path, capsys):
    config = on_files() | {"num_images": 80}
    config["metrics"]["fid"] = {"kind": "fid"}
    config["evaluation"]["pics"] |= {"metrics": ["is2", "kid", "fid"], "reference": "test"}
    config["models"]["ve_cond"]["identity"]["conditional"] = False
    config["figures"]["figure_3"]["panels"][0]["guidances"] = ["none"]
    config["tables"]["table_2"]["sampling"][0]["guidances"] = ["none"]
    status, log = job(config, prepared, tmp_path)
    assert status == 1 and "it ran" not in log
    assert (
        "train_model: extractors.tiny_cnn: kind classifier, but dataset 'pics' has no classes"
        in capsys.readouterr().err
    )
    config["extractors"]["tiny_cnn"] = {"kind": "rotation", "dataset": "pics", "width": 16}
    status, log = job(config, prepared, tmp_path)
    assert status == 1 and "it ran" not in log
    result = capsys.readouterr().err
    assert "train_model: evaluation.pics.reference: split 'test' has " in result
    assert (
        "metrics.fid (evaluation.pics) needs at least 65 images (more than the 64 features)"
        in result
    )
    config["evaluation"]["pics"]["metrics"] = ["is2", "kid"]
    status, log = job(config, prepared, tmp_path)
    assert (status, log) == (0, "it ran\n")


def test_a_job_says_which_network_has_no_attention_where_the_config_could_not(
    prepared, tmp_path, monkeypatch
):
    monkeypatch.setattr(known_data, "dataset", lambda study, name: Expected())
    config = with_value(without_classes(), ("networks", "ddpmpp", "attention"), [7])
    status, log = job(config, prepared, tmp_path)
    assert status == 0
    assert log == (
        "networks.ddpmpp.attention: [7], but with the images of 'pics' there are 16, 8: "
        "no level has attention\nit ran\n"
    )


def test_a_batch_larger_than_the_data_is_refused():
    config = copy.deepcopy(TINY)
    for block in config["training"].values():
        block["batch_size"] = 2000
    with pytest.raises(ValueError, match=r"^training\.\w+\.batch_size: 2000; dataset 'digits' has"):
        plan(config)
