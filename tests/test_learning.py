"""Curves of how a model learned."""

import numpy as np

from uncanny.figures import saving, training_curves
from uncanny.study import plan


def record(seed, losses, **changes):
    history = [
        {"epoch": i + 1, "step": 10 * (i + 1), "images": 320 * (i + 1), "lr": 0.001, "loss": loss}
        | {"gradient_norm": 2 * loss, "nonfinite_gradients": 0}
        for i, loss in enumerate(losses)
    ]
    return {"seed": seed, "status": "ok", "history": history} | changes


def test_a_line_per_training_seed_of_loss_and_gradient_norm():
    figure, drawn = training_curves.draw([record(0, [3.0, 1.0]), record(1, [2.0, 0.5, 0.25])], "VP")
    assert drawn["loss"].tolist() == [3.0, 1.0, 2.0, 0.5, 0.25]
    loss, norm = (ax for ax in figure.axes)
    assert loss.get_ylabel() == "Training loss"
    assert [line.get_label() for line in loss.get_lines()] == ["seed 0", "seed 1"]
    np.testing.assert_allclose(loss.get_lines()[1].get_ydata(), [2.0, 0.5, 0.25])
    np.testing.assert_allclose(norm.get_lines()[0].get_ydata(), [6.0, 2.0])
    assert loss.get_yscale() == "log"


def test_a_training_that_diverged_is_drawn_as_far_as_it_came_and_says_so():
    lost = {"status": "diverged", "reason": "loss 20 in epoch 3, after 1 in the first"}
    gap = record(0, [1.0, 2.0, 20.0], **lost)
    gap["history"][1]["gradient_norm"] = None  # no gradient of the epoch was finite
    figure, drawn = training_curves.draw([gap], "VP")
    assert len(drawn) == 3
    assert figure.axes[1].get_lines()[0].get_xdata().tolist() == [1, 3]
    text = " ".join(text.get_text() for text in figure.texts)
    assert "seed 0: loss 20 in epoch 3, after 1 in the first" in text


def test_one_that_diverged_in_its_first_epoch_leaves_an_empty_page():
    figure, drawn = training_curves.draw([record(0, [], status="diverged", reason="no")], "VP")
    assert drawn.empty
    assert list(drawn.columns) == training_curves.COLUMNS
    assert len(figure.axes) == 2


def test_files_of_a_figure(tmp_path):
    saving.save(*training_curves.draw([record(0, [3.0, 1.0])], "VP"), tmp_path / "vp")
    assert {path.name for path in tmp_path.iterdir()} >= {"vp.png", "vp.pdf", "vp.csv"}


def test_records_of_the_whole_training_of_every_seed():
    from test_configuration import TINY
    from test_configuration import plan as planned

    study = planned(TINY | {"seeds": [0, 2]})
    assert plan.histories(study, "vp_uncond") == [
        "checkpoints/vp_uncond/seed-0/epoch-2.json",
        "checkpoints/vp_uncond/seed-2/epoch-2.json",
    ]
    assert set(plan.trained_models(study)) == set(plan.figure_models(study))
