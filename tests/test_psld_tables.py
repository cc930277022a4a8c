"""Tables of recipes, and of scores beside published ones."""

import pandas as pd
import pytest
from resolved import sampler as resolved
from test_phase_models import CLD, IDENTITY, PROCESS
from test_scores import record

from uncanny.runtime import table_files
from uncanny.tables import Contents, psld_paper, published, recipes

NETWORK = {"kind": "song_unet", "multipliers": [1, 2, 2, 2], "blocks": 2}
SMALL = PROCESS | {"recipe": PROCESS["recipe"] | {"gamma": 0.02}}


def model(process, dataset="cifar10"):
    return IDENTITY | {"process": process, "dataset": dataset, "network": NETWORK}


MODELS = {"psld": model(SMALL), "cld": model(CLD)}
EMU = {"kind": "phase_euler", "num_steps": 1000, "times": "uniform"}
RK = {"kind": "probability_flow", "tol": 0.0001, "times": "ends"}
SAMPLERS = {"EMU": resolved("phase_space", EMU), "RK": resolved("phase_space", RK)}


def contents(*records, models=MODELS):
    samplers = {name: dict.fromkeys(models, options) for name, options in SAMPLERS.items()}
    labels = {"models": {"psld": "PSLD, Γ = 0.02"}}
    return Contents(models=models, samplers=samplers, labels=labels, scores=list(records))


def test_every_registered_process_and_those_of_models():
    frame = recipes.recipes(contents()).set_index("process")
    registered = ["cld", "position_noise", "psld", "ve", "vp"]
    assert list(frame.index) == [
        *registered,
        "PSLD, Γ = 0.02",
    ]  # the model cld is the registered one
    assert (frame["residual"] < 1e-12).all()
    assert frame.loc["cld", "D"] == "diag(0, 0.5)"
    assert frame.loc["cld", "Q"] == "[0, -0.5; 0.5, 0]"
    assert frame.loc["cld", "H"] == "0.5 x² + 2 m²"
    assert frame.loc["vp", "stationary law"] == "N(0, 1)"
    assert (frame.loc["ve", "H"], frame.loc["ve", "stationary law"]) == ("constant", "none")
    assert frame.loc["ve", "as a noising process"].startswith("no stationary law")
    assert (frame.drop("ve")["as a noising process"] == "yes").all()


def test_a_model_without_recipe_is_named():
    result = contents(models={"ddpm": {"process": {"kind": "discrete"}}})
    with pytest.raises(ValueError, match="table: model 'ddpm' has no recipe"):
        recipes.recipes(result)


def scored(name, sampler, value, n=10000, nfe=1000, draw=0, **changes):
    one = record(model=name, sampler=sampler, value=value, draw=draw, metric="fid", n=n)
    return one | {"nfe": nfe} | changes


def test_published_values_stand_where_the_scale_is_the_same():
    records = [scored("psld", "RK", v, nfe=158.5, draw=d) for d, v in enumerate((4.0, 5.0))]
    records += [scored("cld", "EMU", 6.0), scored("psld", "EMU", 3.0, n=400)]
    frame = published.published(contents(*records), metrics=["fid"]).set_index(["model", "sampler"])
    flow = frame.loc["PSLD, Γ = 0.02", "RK"]
    assert (flow["fid"], flow["published FID"], flow["NFE"], flow["published NFE"]) == (
        4.5,
        4.84,
        158.5,
        158,
    )
    assert frame.loc[("cld", "EMU"), "published FID"] == 5.65
    assert pd.isna(frame.loc[("PSLD, Γ = 0.02", "EMU"), "published FID"])  # 400 images


def test_a_metric_and_its_error_share_a_column_under_its_label():
    made = contents(*[scored("cld", "EMU", v, draw=d) for d, v in enumerate((4.0, 6.0))])
    made.labels["metrics"] = {"fid": "FID"}
    frame = published.published(made, metrics=["fid"])
    assert frame.loc[0, ["FID", "FID, s.e."]].tolist() == pytest.approx([5, 0.1 / 2**0.5])
    shown = published.sections(frame)[""]
    assert shown["FID"].tolist() == ["5 ± 0.071"]
    assert "FID, s.e." not in shown


def test_sizes_are_rows_of_their_own():
    entry = scored("cld", "EMU", 6.0)
    sizes = [
        {"n": n, "metrics": [entry["metrics"][0] | {"n": n, "value": float(v)}]}
        for n, v in ((10000, 5.5), (50000, 3.5))
    ]
    many = {key: value for key, value in entry.items() if key != "metrics"} | {"sizes": sizes}
    frame = published.published(contents(entry, many), metrics=["fid"]).set_index("images")
    assert frame["published FID"].to_dict() == {10000: 5.65, 50000: 3.60}
    assert frame.loc[50000, "fid"] == 3.5


def test_guided_cells_and_other_data_have_no_published_value():
    options = SAMPLERS["EMU"]
    for identity, guidance in ((model(CLD, "digits"), "none"), (model(CLD), "G1")):
        facts = psld_paper.facts(identity, options, guidance) | {"n": "10000"}
        assert pd.isna(psld_paper.printed(facts)["published FID"])


def test_printed_cells_are_different():
    keys = [tuple(row[key] for key in psld_paper.MATCHED) for row in psld_paper.rows()]
    assert len(set(keys)) == len(keys) > 90


def test_they_are_sound_latex(tmp_path):
    for frame in (
        recipes.recipes(contents()),
        published.published(contents(scored("cld", "EMU", 6.0)), metrics=["fid"]),
    ):
        caption = "dz = −β(D + Q)Σ∞⁻¹z dt + √(2βD) dw, FΣ∞ + Σ∞Fᵀ"
        table_files.write(frame, tmp_path / "t", title="T", caption=caption)
        assert (tmp_path / "t.tex").read_text().isascii()
