"""Precision of network evaluations: one key of a study, what cards can do, what records say."""

import copy

import pytest
import torch
import yaml
from test_configuration import SHIPPED, TINY, plan

from uncanny.runtime import precision
from uncanny.workflow import gpus

CPU, CUDA = torch.device("cpu"), torch.device("cuda:0")
CARD = r"Old card \(compute capability 7\.5\)"


@pytest.fixture
def card(monkeypatch):
    """A function that sets the compute capability of a card that is not there."""
    precision._say.cache_clear()
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Old card")

    def of(*capability):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)

    return of


def of_study(**more):
    return plan(copy.deepcopy(TINY) | more)


class TestCard:
    @pytest.mark.parametrize("name", precision.PRECISIONS)
    def test_ampere_computes_in_all(self, card, name):
        card(8, 0)
        assert precision.computed(name, CUDA) == name

    @pytest.mark.parametrize("capability", [(7, 5), (6, 1)])
    def test_tf32_is_fp32_on_older_ones_and_said_once(self, card, capsys, capability):
        card(*capability)
        assert precision.computed("tf32", CUDA) == precision.computed("tf32", CUDA) == "fp32"
        version = "{}.{}".format(*capability)
        line = f"precision: tf32 is fp32 on Old card (compute capability {version})\n"
        assert capsys.readouterr().out == line

    def test_factors_are_rounded_only_where_records_say_so(self, card):
        result = {}
        for capability in ((7, 5), (8, 6)):
            card(*capability)
            with precision.products("tf32", CUDA):
                result[capability] = torch.backends.cudnn.allow_tf32
        assert result == {(7, 5): False, (8, 6): True}

    def test_older_ones_refuse_bf16(self, card):
        card(7, 5)
        for use in (precision.computed, lambda *of: precision.products(*of).__enter__()):
            with pytest.raises(ValueError, match=f"^precision: bf16; {CARD} does not compute in"):
                use("bf16", CUDA)

    def test_a_processor_computes_tf32_in_fp32(self):
        assert [precision.computed(p, CPU) for p in precision.PRECISIONS] == [
            "fp32",
            "fp32",
            "bf16",
        ]


class TestStart:
    """What is known before a job starts."""

    @pytest.fixture(autouse=True)
    def machine(self, tmp_path, monkeypatch):
        tool = tmp_path / "nvidia-smi"
        cards = ["0, GPU-aa, New card, 8.9", "1, GPU-bb, Old card, 7.5"]
        tool.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in cards))
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    def test_bf16_is_refused(self):
        with pytest.raises(ValueError, match=f"^precision: bf16; {CARD} does not compute in"):
            gpus.precision_notes(["0", "1"], {"bf16", "fp32"})

    @pytest.mark.parametrize("names", [["1"], ["GPU-b"]])
    def test_tf32_is_said_to_be_fp32(self, names):
        (note,) = gpus.precision_notes(names, {"tf32"})
        assert note == "precision: tf32 is fp32 on Old card (compute capability 7.5)"

    def test_what_is_hidden_does_not_matter(self):
        assert gpus.precision_notes(["0"], {"tf32", "bf16"}) == []

    @pytest.mark.parametrize("answer", ["exit 9", "echo '1, GPU-bb, Old card, [N/A]'", "echo what"])
    def test_silent_where_the_driver_does_not_say(self, tmp_path, answer):
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{answer}\n")
        assert gpus.precision_notes(["0", "1"], {"tf32", "bf16"}) == []


class TestStudy:
    def test_one_key_for_training_and_one_for_sampling(self):
        study = of_study(precision={"training": "tf32", "sampling": "bf16"})
        assert study.identity("vp_uncond")["training"]["precision"] == "tf32"
        assert (
            study.classifier("noisy", "digits", "ddpm", "cosine")["training"]["precision"] == "tf32"
        )
        assert study.sampler("HEUN", "vp_uncond")["precision"] == "bf16"
        assert study.precisions() == {"tf32", "bf16"}

    @pytest.mark.parametrize("stated", [{}, {"training": "fp32", "sampling": "fp32"}])
    def test_float32_changes_no_identity(self, stated):
        plain, study = plan(copy.deepcopy(TINY)), of_study(precision=stated)
        noisy = ("noisy", "digits", "ddpm", "cosine")
        assert study.identity("vp_uncond") == plain.identity("vp_uncond")
        assert "precision" not in study.classifier(*noisy)["training"]
        assert study.sampler("HEUN", "vp_uncond") == plain.sampler("HEUN", "vp_uncond")

    def test_a_block_may_differ_from_what_the_study_states(self):
        config = copy.deepcopy(TINY) | {"precision": {"training": "tf32", "sampling": "tf32"}}
        config["samplers"]["EUL"]["precision"] = "fp32"
        config["classifiers"]["noisy"]["precision"] = "fp32"
        study = plan(config)
        assert study.sampler("EUL", "vp_uncond")["precision"] == "fp32"
        assert study.sampler("HEUN", "vp_uncond")["precision"] == "tf32"
        assert "precision" not in study.classifier("noisy", "digits", "ddpm", "cosine")["training"]

    def test_published_studies_use_tensor_cores(self):
        studies = {path.stem: plan(yaml.safe_load(path.read_text())) for path in SHIPPED}
        on_gpus = [study for study in studies.values() if study.config["device"] == "auto"]
        assert {"paper", "psld_paper", "design_space_paper"} <= {study.name for study in on_gpus}
        assert all(study.precisions() == {"tf32"} for study in on_gpus)
        on_cpu = [study for study in studies.values() if study.config["device"] == "cpu"]
        assert on_cpu and all(study.precisions() == {"fp32"} for study in on_cpu)
