"""The scorecard: what it says of findings, its files, and the figure of all verdicts."""

import importlib.util
import json
import re

import numpy as np
import pandas as pd
import pytest
from standin import Named, standin
from test_configuration import changed, plan
from test_effects import curve

from uncanny.claims import scorecard
from uncanny.claims.assess import Assessment, Control
from uncanny.claims.compare import compared
from uncanny.claims.curves import Cells
from uncanny.claims.finding import VERDICTS, Finding, combined, untestable
from uncanny.claims.rules import superior
from uncanny.figures import claims as figure_kind
from uncanny.figures import figure_data, saving
from uncanny.registry import components
from uncanny.study import plan as planning
from uncanny.study.plan import claims as plan_claims
from uncanny.study.plan import inputs

BLOCK = {"statement": "50 % & a|b_c", "source": "§4", "note": "Mind σ."}
NUMBERS = {"estimate": 5.0, "low": 3.0, "high": 7.0, "unit": "%", "margin": 2.0, "detectable": 2.8}
ABOVE = Finding(
    "supported",
    "IS of A is 5.0 % above that of B",
    p=0.001,
    scope="these weights only",
    cells=("A",),
    **NUMBERS,
)
TIME = Finding("refuted", "A takes 1.5 times as long", p=0.0001, estimate=1.5, unit="times")
MISSING = untestable("missing: sampler X")


def assessment(claim="C01", parts=None, verdict=None, controls=None, **changes):
    """A claim whose parts have these findings; verdict, changes: of the claim itself."""
    parts = parts or {"only": ABOVE}
    alone = next(iter(parts.values())) if len(parts) == 1 else combined(parts)
    finding = Finding(**{**vars(alone), "verdict": verdict or alone.verdict, **changes})
    return Assessment(claim, BLOCK, finding, alone, parts, controls or {})


class TestText:
    def test_counts_are_in_the_order_of_the_words(self):
        verdicts = [VERDICTS[-1], *VERDICTS, "supported"]
        assert scorecard.counted(verdicts) == (
            "2 supported, 1 refuted, 1 not reproduced at this scale, 1 inconclusive, "
            "1 cannot decide, 1 not testable, 2 by construction"
        )
        assert scorecard.title([assessment()]) == "1 claim: 1 supported"

    def test_data_have_the_estimate_and_what_the_interval_includes(self):
        assert scorecard.data(assessment()) == f"{ABOVE.text}; interval: these weights only"
        assert scorecard.data(assessment(parts={"only": MISSING})) == ""

    def test_of_several_parts_the_one_that_decides_is_shown(self):
        a = assessment(parts={"a_quality": ABOVE, "z_time": TIME})
        assert a.finding.estimate == 1.5
        assert scorecard.data(a) == "z time: A takes 1.5 times as long; a quality: supported"
        row = scorecard.table([a]).iloc[0]
        assert (row["decides"], row["estimate"], row["unit"]) == ("z_time", 1.5, "times")
        both = assessment(parts={"a": ABOVE, "b": Finding("supported", "b", p=0.01, estimate=9.0)})
        assert scorecard.data(both) == "b: b; a: supported"

    def test_nothing_is_said_where_all_parts_lack_something(self):
        assert scorecard.data(assessment(parts={"quality": MISSING, "time": MISSING})) == ""

    def test_what_one_part_lacks_does_not_hide_the_other(self):
        a = assessment(parts={"quality": ABOVE, "time": MISSING})
        assert a.finding.verdict == "not testable"
        assert scorecard.data(a) == (
            f"quality: supported, {ABOVE.text}; interval: these weights only"
        )

    def test_a_verdict_that_did_not_stand_holms_correction_says_so(self):
        parts = {"a": TIME, "b": ABOVE}
        text = f"refuted by itself, but not after Holm's correction; {combined(parts).text}"
        a = assessment(parts=parts, verdict="inconclusive", text=text)
        assert scorecard.data(a) == (
            "refuted by itself, but not after Holm's correction; a: A takes 1.5 times as long; "
            "b: supported"
        )

    @pytest.mark.parametrize(
        ("changes", "text"),
        [
            ({}, "yes, effects of 2.8 % or more"),
            ({"detectable": None}, "yes"),
            ({"verdict": "not reproduced at this scale"}, "for this scale alone: trainings"),
            ({"verdict": "cannot decide", "limit": "could decide at 10 %"}, "no: could decide at"),
            ({"verdict": "not testable", "limit": "missing: X"}, "no: missing: X"),
            ({"verdict": "by construction"}, "no test: it follows from the design"),
        ],
    )
    def test_whether_the_scale_can_decide(self, changes, text):
        assert scorecard.scale(Finding(**{**vars(ABOVE), **changes})).startswith(text)

    def test_the_caption_explains_what_occurs(self):
        fixed = scorecard.caption([assessment()])
        assert "These weights only: the interval is about the trained networks" in fixed
        assert "Inception Score and FID are compared less their bias" in fixed
        assert "Training spread from" not in fixed and "Not reproduced" not in fixed
        lost = scorecard.caption([assessment(parts={"only": MISSING}), assessment()])
        assert "adjusted by Holm over the 2 claims declared" in lost
        more = scorecard.caption(
            [assessment(verdict="not reproduced at this scale", scope="training spread from x")]
        )
        assert "Not reproduced at this scale: the data contradict" in more
        assert "Training spread from another study" in more and "These weights" not in more


class TestCombined:
    """Whose numbers a verdict on several groups has."""

    def test_all_together_where_they_agree(self):
        groups = {"a": ABOVE, "b": ABOVE}
        pooled = Finding("supported", "IS of all", estimate=9.0)
        result = combined(groups, "all", pooled)
        assert result.estimate == 9.0
        assert result.text == "supported in 2 of 2; all together: IS of all"

    def test_else_those_of_the_group_that_decides(self):
        below = Finding("refuted", "IS of C is less", estimate=-6.0, p=0.001)
        pooled = Finding("inconclusive", "IS of all", estimate=1.9)
        result = combined({"a": ABOVE, "c": below}, "all", pooled)
        assert (result.verdict, result.estimate) == ("refuted", -6.0)
        assert result.text == "supported in 1 of 2, contradicted in 1 (c); c: IS of C is less"


class Given:
    """Scores that are curves of given levels."""

    def curve(self, key, metric, epochs, seeds, sampling_seeds):
        levels = {"vp": 6.0, "vp_cond": 6.6, "ve": 4.0, "ve_cond": 4.4}
        return curve(key[0], levels[key[0]], sampler=key[1], epochs=epochs)

    def bounds(self, model, metric):
        return None


@pytest.fixture
def cells():
    def of(**labels):
        axes = {"samplers": ["S"], "guidances": ["none"]}
        epochs = {"epochs": {name: [10, 20] for name in ("vp", "vp_cond", "ve", "ve_cond")}}
        a, b = ({"models": [name, f"{name}_cond"]} | axes | epochs for name in ("vp", "ve"))
        return Cells(Given(), {"a": a, "b": b}, [0], [0], labels=labels)

    return of


OPTIONS = {"metric": "is10", "require": "all", "gate": False}


class TestLabels:
    def text(self, cells, per="none"):
        return compared(cells, superior, per=per, **OPTIONS).text

    def test_verdicts_have_labels(self, cells):
        labels = {"models": {"vp": "VP", "vp_cond": "VP, classes", "ve": "VE"}}
        text = self.text(cells(**labels, metrics={"is10": "Inception Score"}))
        assert text.startswith(
            "Inception Score of VP and VP, classes is 50.0 % above that of VE and ve_cond (+"
        )

    def test_names_serve_without_labels(self, cells):
        assert self.text(cells()).startswith("is10 of vp and vp_cond is 50.0 % above that of ve")

    def test_groups_have_labels_that_differ(self, cells):
        def groups(**models):
            result = compared(cells(models=models), superior, per="model", **OPTIONS)
            return list(result.details["parts"])

        assert groups(vp="VP", ve="VE") == ["VP against VE", "vp_cond against ve_cond"]
        same = groups(vp="M", ve="E", vp_cond="M", ve_cond="E")
        assert same == ["vp against ve", "vp_cond against ve_cond"]

    def test_a_study_has_labels_where_its_blocks_have_them(self):
        labels = plan_claims.labels(plan(changed(("samplers", "HEUN", "label"), "second order")))
        assert set(labels) == {"models", "samplers", "guidances", "metrics"}
        assert labels["samplers"] == {"HEUN": "second order", "DDIM": "DDIM"}


# ---- Files -------------------------------------------------------------------------------------

CONTROLS = {"other_way": Control(TIME, "the reason is b")}
LOST = assessment("C02", {"only": MISSING})


@pytest.fixture
def written(tmp_path):
    scorecard.write([assessment(controls=CONTROLS), LOST], tmp_path / "claims")
    return tmp_path / "claims.json"


def test_files(written):
    texts = {path.suffix: path.read_text() for path in written.parent.iterdir()}
    assert set(texts) == {".csv", ".md", ".tex", ".json"}
    title = "2 claims: 1 supported, 1 not testable"
    assert texts[".md"].startswith(f"## {title}\n")
    rows = [line for line in texts[".md"].splitlines() if line.startswith("| C")]
    assert len(rows) == 3 and r"a\|b_c" in rows[0] and "Mind σ." in rows[0]
    assert r"50 \% \& a\textbar{}b\_c" in texts[".tex"] and texts[".tex"].isascii()
    table = pd.read_csv(written.with_suffix(".csv")).set_index("claim")
    assert table.loc["C01", ["low", "estimate", "high", "margin"]].tolist() == [3, 5, 7, 2]
    assert np.isnan(table.loc["C02", "estimate"])
    assert table.loc["C02", "limit"] == "missing: sampler X"
    result = json.loads(texts[".json"])["claims"]["C01"]
    assert result["finding"]["scope"] == "these weights only"
    assert result["scale"] == "yes, effects of 2.8 % or more"


def test_controls_are_a_second_family(written):
    below = written.with_suffix(".md").read_text().split(f"## {scorecard.CONTROLS}")[1]
    assert "| C01 | other way | refuted | A takes 1.5 times as long |" in re.sub(" +", " ", below)
    assert "the reason is b" in below and "second family, over the 1 controls" in below
    assert r"\label{tab:claims_controls}" in written.with_suffix(".tex").read_text()


def test_same_bytes_again(written, tmp_path):
    scorecard.write([assessment(controls=CONTROLS), LOST], tmp_path / "again" / "claims")
    for suffix in (".csv", ".md", ".tex"):
        again = (tmp_path / "again/claims").with_suffix(suffix)
        assert again.read_bytes() == written.with_suffix(suffix).read_bytes()


def test_the_script_writes_the_scorecard_and_its_page(tmp_path):
    claims = {
        name: {"block": BLOCK | {"not_testable": "no experiment"}, "missing": {}}
        for name in ("C01", "C02")
    }
    outputs = {s: tmp_path / f"tables/claims.{s}" for s in ("csv", "md", "tex", "json")}
    sources = {key: [] for key in ("references", "timings", "sizes", "reports")}
    snakemake = standin(
        tmp_path / "log",
        params={"claims": claims, "scale": "reduced", "labels": {}}
        | {"seeds": [0], "sampling_seeds": [0]},
        input=Named(scores=[], **sources),
        output=Named(**outputs, page=tmp_path / "tables/claims.html"),
    )
    path = components.LIBRARY.parent / "assess_claims.py"
    module = importlib.util.module_from_spec(
        spec := importlib.util.spec_from_file_location("x", path)
    )
    spec.loader.exec_module(module)
    module.main(snakemake)
    assert all(path.exists() for path in outputs.values())
    page = (tmp_path / "tables/claims.html").read_text()
    assert "2 claims: 2 not testable" in page
    assert 'class="verdict not-testable"' in page


# ---- Figure ------------------------------------------------------------------------------------


@pytest.fixture
def drawn(tmp_path):
    """The figure of one claim of each verdict, and one in another unit."""
    findings = [Finding(**{**vars(ABOVE), "verdict": verdict}) for verdict in VERDICTS]
    findings += [Finding("supported", "x", estimate=1.5, low=1.2, high=1.9, unit="times"), MISSING]
    listed = [assessment(f"C{i:02}", {"only": result}) for i, result in enumerate(findings, 1)]
    scorecard.write(listed, tmp_path / "claims")
    data = figure_data.FigureData(**figure_data.read({"claims": [tmp_path / "claims.json"]}))
    return figure_kind.claims(data, [])


def test_the_figure_groups_all_claims_by_verdict(drawn):
    figure, table = drawn
    assert table["verdict"].drop_duplicates().tolist() == list(figure_kind.LOOKS)
    assert set(figure_kind.LOOKS) == set(VERDICTS)
    assert sorted(table["claim"]) == [f"C{i:02}" for i in range(1, 10)]
    texts = {text.get_text() for ax in figure.axes for text in ax.texts}
    assert {"supported: 2", "not testable: 2", "5 % (3 to 7)", "1.5 times (1.2 to 1.9)"} <= texts
    assert "missing: sampler X" in texts


def test_estimates_in_percent_are_on_the_axis_with_interval_and_margin(drawn):
    figure, table = drawn
    tested = figure.axes[0]
    points = {
        line.get_label(): line for line in tested.lines if line.get_label() in set(table["claim"])
    }
    percent = table[(table["unit"] == "%") & (table["verdict"] != "not testable")]
    assert set(points) == set(percent["claim"])
    assert [points["C01"].get_xdata()[0], points["C01"].get_marker()] == [5.0, "o"]
    at = points["C01"].get_ydata()[0]
    spans = [list(line.get_xdata()) for line in tested.lines if set(line.get_ydata()) == {at}]
    assert spans == [[-2.0, 2.0], [3.0, 7.0], [5.0]]
    looks = {(p.get_color(), p.get_marker(), p.get_markerfacecolor()) for p in points.values()}
    assert len(looks) == len(points)


def test_texts_of_the_figure_do_not_overlap(drawn):
    figure, _ = drawn
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for ax in figure.axes for text in ax.texts]
    overlapping = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]
    assert not overlapping


def test_the_caption_is_the_same_from_the_csv(drawn, tmp_path):
    figure, table = drawn
    saving.save(figure, table, tmp_path / "f")
    facts = figure_kind.facts(pd.read_csv(tmp_path / "f.csv"))
    assert facts == table.attrs["facts"]
    assert facts[0].startswith("9 claims: 2 supported; 1 refuted; 1 not reproduced at this scale;")
    assert "these weights only (7)" in facts[-1]


def test_other_verdicts_are_refused(written):
    entries = figure_data.read({"claims": [written]})["claims"]
    entries["C01"]["finding"]["verdict"] = "holds"
    with pytest.raises(ValueError, match="verdict 'holds'; expected one of supported, refuted"):
        figure_kind.claims(figure_data.FigureData(claims=entries), [])
    with pytest.raises(ValueError, match="no claims; expected at least one"):
        figure_kind.claims(figure_data.FigureData(), [])


FIGURE = ("figures", "figure_claims")
VERDICTS_SHOWN = {"kind": "claims", "supplementary": True}


def test_the_figure_reads_the_scorecard_alone():
    study = plan(changed(FIGURE, VERDICTS_SHOWN))
    assert inputs.of_figure(study, "figure_claims") == {"claims": ["tables/claims.json"]}
    assert "figure_claims" not in planning.paper_figures(study)
    assert "tables/claims.json" not in inputs.of_all(study)


def test_the_figure_needs_claims_and_nothing_else():
    config = changed(FIGURE, VERDICTS_SHOWN)
    config["figures"]["figure_claims"]["experiments"] = ["x"]
    with pytest.raises(
        ValueError, match=r"figure_claims\.experiments: .* take all claims, not exp"
    ):
        plan(config)
    config = changed(FIGURE, VERDICTS_SHOWN) | {"claims": {}}
    with pytest.raises(ValueError, match=r"claims: missing; figures\.figure_claims shows"):
        plan(config)
