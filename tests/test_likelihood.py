"""Likelihoods of discrete models: of batches, as a record, in a table, in the plan."""

import numpy as np
import pytest
import torch
from test_configuration import changed, plan

from uncanny.diffusion import variational
from uncanny.evaluation import denoising_losses, likelihood
from uncanny.networks import building
from uncanny.sampling import drawing
from uncanny.study.plan import inputs
from uncanny.tables import Contents
from uncanny.tables.likelihoods import likelihoods

NETWORK = {"kind": "unet", "width": 8, "multipliers": [1], "blocks": 1, "attention": []}
X0 = torch.linspace(-1, 1, 5 * 64, dtype=torch.float64).reshape(5, 1, 8, 8)
HELD_OUT = denoising_losses.HeldOut(X0, torch.zeros(0), None)


def made(variance="fixed", **network):
    """An untrained discrete model of images 1x8x8 with four levels."""
    process = {"kind": "discrete", "num_levels": 4, "variance": variance}
    identity = {"network": NETWORK | network, "process": process, "schedule": {"kind": "cosine"}}
    identity |= {"conditional": False}
    torch.manual_seed(0)
    network = building.build_network(identity, (1, 8, 8), 10).eval()
    return drawing.Trained(building.build_family(identity), network, (1, 8, 8), 10, False)


@pytest.mark.parametrize("variance", ["fixed", "learned_range"])
def test_likelihoods_do_not_depend_on_the_batch(variance, monkeypatch):
    model = made(variance)
    together = likelihood.measure(model, HELD_OUT)
    monkeypatch.setattr(drawing, "BATCH_VALUES", 2 * 64)
    apart = likelihood.measure(model, HELD_OUT)
    assert list(together) == ["prior", "steps", "grey_values"]
    for name, part in together.items():
        assert part.shape == (5,)
        np.testing.assert_allclose(part, apart[name], rtol=1e-5)


def test_a_variance_in_the_middle_is_not_the_lower_bound():
    # An untrained network puts out 0: half-way between the logarithms of both bounds
    small, learned = (likelihood.measure(made(v), HELD_OUT) for v in ("fixed", "learned_range"))
    np.testing.assert_allclose(small["prior"], learned["prior"])
    assert not np.allclose(small["steps"], learned["steps"])
    expected = variational.prior_term(X0, made().family.alphas_cumprod)
    np.testing.assert_allclose(small["prior"], expected.numpy())


def test_a_summary_is_of_the_sum_of_the_parts():
    parts = {
        "prior": np.array([0.0, 0.2]),
        "steps": np.array([2.0, 3.0]),
        "grey_values": np.ones(2),
    }
    summary = likelihood.summary(parts)
    assert summary["bits_per_dim"] == pytest.approx(3.6)
    assert summary["se"] == pytest.approx(0.6)
    assert summary["parts"] == pytest.approx({"prior": 0.1, "steps": 2.5, "grey_values": 1.0})


def entry(model, seed, bits, status="ok"):
    record = {"model": model, "dataset": "digits", "seed": seed, "epoch": 2, "status": status}
    if status == "ok":
        parts = {"prior": 0.1, "steps": bits - 1, "grey_values": 0.9}
        record |= {"variance": "small", "split": "test", "bits_per_dim": bits, "se": 0.01}
        record |= {"n": 40, "parts": parts}
    return record


def test_the_table_has_means_over_trainings_and_counts_those_that_diverged():
    records = [entry("a", 0, 3.0), entry("a", 1, 3.2), entry("b", 0, 0, "diverged")]
    models = {"a": {}, "b": {}}
    frame = likelihoods(Contents(models=models, likelihoods=records)).set_index("model")
    assert frame.loc["a", "bits per dimension"] == pytest.approx(3.1)
    assert frame.loc["a", "s.e."] == pytest.approx(0.1)
    assert frame.loc["a", ["trainings", "diverged"]].tolist() == [2, 0]
    assert np.isnan(frame.loc["b", "bits per dimension"])
    assert frame.loc["b", ["trainings", "diverged"]].tolist() == [0, 1]
    one = likelihoods(Contents(models={"a": {}}, likelihoods=records[:1]))
    assert one["s.e."].tolist() == [0.01]


TABLE = {"kind": "likelihoods", "title": "Likelihood", "models": ["ddpm_cosine"]}


def test_a_table_asks_for_the_last_milestone_of_every_training():
    config = changed(("tables", "table_3"), TABLE) | {"seeds": [0, 3]}
    study = plan(config)
    expected = [f"likelihoods/ddpm_cosine/seed-{seed}/epoch-2.json" for seed in (0, 3)]
    assert inputs.of_table(study, "table_3")["likelihoods"] == expected
    assert inputs.of_table(study, "table_1")["likelihoods"] == []
    assert study.config["likelihood"] == {"split": "test", "items": 500}


def test_models_without_a_chain_are_refused():
    config = changed(("tables", "table_3"), TABLE | {"models": ["vp_uncond"]})
    with pytest.raises(
        ValueError, match=r"table_3\.models: 'vp_uncond'; expected models of discrete"
    ):
        plan(config)
    with pytest.raises(ValueError, match=r"tables\.table_3\.models: missing"):
        plan(changed(("tables", "table_3"), {k: v for k, v in TABLE.items() if k != "models"}))
