"""The race of samplers: which is shown to be about as good as the best, the figure and the table."""

import numpy as np
import pandas as pd
import pytest
from plotted import MODELS, control, dash, legend_texts
from resolved import sampler as resolved
from test_scores import record

from uncanny.evaluation import jackknife, score_records, standings
from uncanny.evaluation.contrasts import Score
from uncanny.figures import saving
from uncanny.figures.figure_data import FigureData
from uncanny.figures.sampler_race import facts, sampler_race
from uncanny.tables import Contents, scores_by_nfe
from uncanny.tables.samplers import samplers as table_of_samplers

RNG = np.random.default_rng(0)
COMMON = RNG.standard_normal(2000)  # what all images of the same latents have in common


def scores(mean, own=0.02, latents=0, seed=0):
    """Score of a mean of 2000 values, which differ between sets by `own` alone."""
    noise = own * np.random.default_rng(seed).standard_normal(2000)
    made = jackknife.of_mean(mean + COMMON + noise - (COMMON + noise).mean())
    return Score(made.corrected, made.without_groups, latents)


RULE = {"falling": True, "margin": 0.02}


def test_pairs_decide_what_is_within_the_margin():
    sets = [[scores(10.0, seed=0)], [scores(10.05, seed=1)], [scores(11.0, seed=2)]]
    assert standings.standings(sets, **RULE) == ["within", "within", "outside"]
    rising = standings.standings(sets, falling=False, margin=0.02)
    assert rising == ["outside", "outside", "within"]
    # A mean of other latents has an error of 1 / sqrt(2000), or 0.2 % of 10, and is decided, too
    other = np.random.default_rng(9).standard_normal(2000)
    far = jackknife.of_mean(10.19 + other - other.mean())
    unpaired = [Score(far.corrected, far.without_groups, 1)]
    assert standings.standings([sets[0], unpaired], **RULE) == ["within", "not decided"]


def test_the_same_images_are_within_any_margin():
    same = scores(10.0)
    assert standings.standings([[same], [same]], **RULE) == ["within", "within"]
    assert standings.standings([[same]], **RULE) == ["within"]


def test_means_of_several_runs_are_compared():
    runs = [[scores(10.0, seed=s, latents=s) for s in (0, 1)], [scores(10.1, seed=5, latents=0)]]
    assert standings.standings(runs, **RULE) == ["within", "within"]


def test_a_false_within_is_as_rare_as_the_level():
    """Of sets at the very margin against the best, few are shown to be within it."""
    wrong = 0
    for trial in range(200):
        rng = np.random.default_rng(trial)
        sets = []
        for mean in (10.0, 10.2, 10.2):
            values = jackknife.of_mean(mean + rng.standard_normal(400))
            sets.append([Score(values.corrected, values.without_groups, len(sets))])
        wrong += "within" in standings.standings(sets, **RULE)[1:]
    assert wrong / 200 < 0.14  # two sets, 5 % each


# --- Figure and table ---------------------------------------------------------------------------


def entry(mean, own, seed):
    value = jackknife.of_mean(
        mean + COMMON + own * np.random.default_rng(seed).standard_normal(2000)
    )
    replicates = [r - value.value + mean for r in value.replicates]
    return {"value": mean, "bias": 0.0, "replicates": replicates}


SPEEDS = {"UNI": {4: 12.0, 8: 10.0}, "HEUN": {4: 30.0, 8: 20.0}, "SDE": {4: 40.0, 8: 10.01}}
KINDS = {"UNI": {"kind": "unipc"}, "HEUN": {"kind": "heun"}, "SDE": {"kind": "dpmpp", "eta": 1.0}}
SAMPLERS = {
    f"{name}_{n}": {"label": f"{name}, NFE ≤ {n}", "series": name}
    for name in SPEEDS
    for n in (4, 8)
}


def block_of(sampler):
    name, n = sampler.split("_")
    return resolved("continuous", KINDS[name] | {"num_steps": int(n), "grid": "polynomial"})


def made():
    records = []
    for seed, sampler in enumerate(SAMPLERS):
        name, n = sampler.split("_")
        one = record(model="ve", sampler=sampler, metric="fid", kind="fid", splits=None)
        one["metrics"][0]["jackknife"] = entry(SPEEDS[name][int(n)], 0.01, seed)
        one["parameters"]["sampler"] = block_of(sampler)
        one["groups"]["images"] = [f"{sampler}{g}" for g in range(20)]
        records.append(one | {"nfe": int(n)})
    return records


PANEL = {"title": "VE", "models": ["ve"], "samplers": list(SAMPLERS)}


def data(records, references):
    return FigureData(
        table=score_records.tidy(records),
        models=MODELS,
        samplers=SAMPLERS,
        metrics={"fid": {"label": "FID"}},
        references={"digits": references},
    )


def drawn(records=None):
    stored = entry(3.0, 0.0, 0) | {"bias": 0.5}
    real = control(3.0, metric="fid", splits=None, jackknife=stored)
    return sampler_race(data(records or made(), {"train": real}), [PANEL], metric="fid")


def test_values_less_bias_by_series_and_the_fastest(tmp_path):
    figure, table = drawn()
    saving.save(figure, table, tmp_path / "f")
    assert facts(pd.read_csv(tmp_path / "f.csv")) == table.attrs["facts"]
    points = table[table["control"].isna()]
    assert points.groupby("series")["value"].agg(list).to_dict() == {
        name: list(values.values()) for name, values in SPEEDS.items()
    }
    assert table.loc[table["control"] == "train", "value"].tolist() == [2.5]
    ringed = points[points["fastest"] != ""]
    assert ringed[["sampler", "fastest"]].to_numpy().tolist() == [["UNI_8", "shown, estimated"]]
    assert dict(zip(points["sampler"], points["standing"], strict=True))["SDE_8"] == "within"
    assert (
        "Panel a: fastest UNI (8 evaluations, shown, estimated); not decided for 0 of 6"
        in " ".join(table.attrs["facts"])
    )
    assert legend_texts(figure) == [["UNI", "HEUN", "SDE"]]


def test_samplers_with_noise_are_dashed_and_the_fastest_has_a_ring():
    figure, _ = drawn()
    (ax,) = figure.axes
    lines = {line.get_label(): line for line in ax.get_lines()}
    ring = lines["fastest"]
    assert (ring.get_xdata().tolist(), ring.get_ydata().tolist()) == ([8], [10.0])
    curves = [line for line in ax.get_lines() if len(line.get_xdata()) == 2]
    dashed = {line.get_ydata()[0]: dash(line) != () for line in curves if line.get_xdata()[1] == 8}
    assert dashed == {12.0: False, 30.0: False, 40.0: True}


def test_what_diverged_has_no_standing():
    records = made()
    records[0] |= {"status": "diverged", "metrics": []}
    _, table = drawn(records)
    assert table.loc[table["sampler"] == "UNI_4", "standing"].tolist() == [""]
    assert "diverged: " in table.attrs["facts"][-1]


def contents(records):
    return Contents(
        models={"ve": {"process": {}}},
        processes={"ve": "ve"},
        samplers={name: {"ve": block_of(name)} for name in SAMPLERS},
        labels={"series": {name: look["series"] for name, look in SAMPLERS.items()}},
        scores=records,
    )


def test_table_states_what_samplers_declare_and_need():
    frame = table_of_samplers(contents(made()), metric="fid").set_index("sampler")
    assert frame["order"].to_dict() == {"UNI": 3, "HEUN": 2, "SDE": 2}
    assert frame["NFE per step"].to_dict() == {"UNI": 1, "HEUN": 2, "SDE": 1}
    assert frame["noise"].to_dict() == {"UNI": "no", "HEUN": "no", "SDE": "yes"}
    assert frame["NFE, shown"].fillna(0).to_dict() == {"UNI": 8, "HEUN": 0, "SDE": 8}
    assert frame["best"].to_dict() == {"UNI": 10.0, "HEUN": 20.0, "SDE": 10.01}
    assert frame["NFE near its best"].to_dict() == {"UNI": 8, "HEUN": 8, "SDE": 8}
    assert frame["ms"]["UNI"] == pytest.approx(2.5)


def test_scores_by_nfe_are_those_of_the_most_evaluations_that_do_not_exceed_it():
    frame = scores_by_nfe.scores_by_nfe(contents(made()), metric="fid", nfe=[7, 4, 3, 100])
    assert frame[["sampler", "at most", "NFE", "value"]].values.tolist() == [
        [name, most, n, SPEEDS[name][n]]
        for name in SPEEDS
        for most, n in ((4, 4), (7, 4), (100, 8))
    ]
    (wide,) = scores_by_nfe.sections(frame).values()
    assert wide.columns.tolist() == ["sampler", "≤ 4", "≤ 7", "≤ 100"]
    assert wide["≤ 100"].str.split(" ± ").str[0].tolist() == ["10", "20", "10"]


def test_what_diverged_is_not_replaced_by_fewer_evaluations():
    records = made()
    records[1] |= {"status": "diverged", "metrics": []}
    records[1].pop("nfe")
    frame = scores_by_nfe.scores_by_nfe(contents(records), metric="fid", nfe=[4, 8])
    (wide,) = scores_by_nfe.sections(frame).values()
    assert wide["≤ 8"].tolist()[0] == "diverged" and "diverged" not in wide["≤ 4"].tolist()
