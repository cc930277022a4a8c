"""Sample grids: the first images, at their places, with the nearest real ones."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from uncanny.evaluation import score_records
from uncanny.figures import captions, saving, style
from uncanny.figures import grid as grid_module
from uncanny.figures.figure_data import FigureData
from uncanny.figures.grid import facts, grid
from uncanny.runtime.result_paths import Cell

RNG = np.random.default_rng(0)
REAL = RNG.integers(0, 255, (30, 1, 4, 4), np.uint8)
PANEL = {"title": "VE", "models": ["ve"], "samplers": ["EUL"]}


def cell(epoch=10, sampler="EUL", seed=0, draw=0):
    return Cell("ve", seed, sampler, "none", draw, epoch)


def images(count=12, channels=1):
    return RNG.integers(0, 255, (count, channels, 4, 4), np.uint8)


def made(result, **changes):
    return FigureData(
        **{"models": {"ve": {"label": "VE"}}, "datasets": {"ve": "digits"}, "images": result},
        labels={at: np.arange(len(x)) for at, x in result.items()},
        **{"training": {"digits": REAL}} | changes,
    )


def hash_of(image):
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()[:16]


def test_table_names_the_first_images_in_order():
    result = images()
    _, drawn = grid(made({cell(): result}), [PANEL], rows=2, columns=4)
    assert drawn["index"].tolist() == drawn["label"].tolist() == list(range(8))
    assert drawn["sha256"].tolist() == [hash_of(image) for image in result[:8]]
    assert drawn["mean_pixel"].tolist() == [image.mean() for image in result[:8]]
    assert (drawn["row"] * 4 + drawn["column"]).tolist() == list(range(8))


def test_images_are_seen():
    """Their pixels come out on the page: no artist covers them."""
    black, white = np.zeros((8, 1, 4, 4), np.uint8), np.full((8, 1, 4, 4), 255, np.uint8)
    shares = []
    for shown in (black, white):
        figure, _ = grid(made({cell(): shown}), [PANEL], rows=2, columns=4)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        page = np.asarray(canvas.buffer_rgba())[..., :3]
        shares.append([(page == level).all(axis=2).mean() for level in (0, 255)])
    (dark, light), (dark_of_white, light_of_white) = shares
    assert dark > dark_of_white + 0.5 and light_of_white > light + 0.5


@pytest.mark.parametrize("channels", [1, 3])
def test_artists_are_the_images_of_the_table_at_their_places(channels):
    figure, drawn = grid(made({cell(): images(12, channels)}), [PANEL], rows=2, columns=4)
    for artist, row in zip(figure.axes[0].images, drawn.itertuples(), strict=True):
        pixels = np.asarray(artist.get_array())
        stored = pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)
        assert hash_of(stored) == row.sha256
        left, right, bottom, top = artist.get_extent()
        assert (int(left), int(top)) == (row.column, row.row)
        assert right - left == pytest.approx(bottom - top)
        assert artist.get_interpolation() == "nearest"


def test_last_epoch_and_first_run_unless_said_otherwise():
    result = {cell(e, seed=s, draw=k): images() for e in (5, 10) for s in (0, 1) for k in (0, 1)}
    _, drawn = grid(made(result), [PANEL], rows=1)
    assert drawn[["epoch", "seed", "draw"]].drop_duplicates().values.tolist() == [[10, 0, 0]]
    figure, drawn = grid(made(result), [PANEL | {"epochs": [5, 10]}], rows=1)
    assert drawn.groupby("panel")["epoch"].first().tolist() == [5, 10]
    assert drawn["panel_title"].unique().tolist() == ["VE, epoch 5", "VE, epoch 10"]
    titles = [ax.get_title(loc="left").split("  ")[1] for ax in figure.axes]
    assert titles == ["VE, epoch\xa05", "VE, epoch\xa010"]  # the number stays with its word


@pytest.mark.parametrize("words", [2, 12])
def test_titles_are_inside_the_figure_and_clear_of_the_images(words):
    panel = PANEL | {"title": " ".join(["parameters"] * words)}
    figure, _ = grid(made({cell(): images()}), [panel], rows=2, columns=4)
    figure.draw_without_rendering()
    (ax,) = figure.axes
    (title,) = ax.findobj(lambda artist: "parameters" in getattr(artist, "get_text", str)())
    box = title.get_window_extent()
    assert box.y1 <= figure.bbox.y1
    assert box.y0 >= ax.get_window_extent().y1


def test_nearest_training_images_lie_below_their_images():
    samples = np.concatenate([REAL[[7, 3]], images(6)])
    data = made({cell(): samples})
    figure, drawn = grid(data, [PANEL], rows=2, columns=4, nearest=True)
    near = drawn[drawn["role"] == "nearest"]
    assert near["index"].tolist()[:2] == [7, 3]
    assert near["distance"].tolist()[:2] == [0, 0]
    distance = np.sqrt(((REAL.astype(float) - samples[2]) ** 2).mean(axis=(1, 2, 3)))
    assert near["distance"].iloc[2] == pytest.approx(distance.min())
    assert near["sha256"].iloc[2] == hash_of(REAL[distance.argmin()])
    tops = [artist.get_extent()[3] for artist in figure.axes[0].images]
    assert min(tops[8:]) > max(tops[:8]) + 1
    assert "the nearest of the 30 training images" in captions.caption(drawn, {})


def test_the_nearest_is_found_among_parts_as_among_all(monkeypatch):
    data = made({cell(): np.concatenate([REAL[[29, 0]], images(6)])})
    _, drawn = grid(data, [PANEL], rows=2, columns=4, nearest=True)
    monkeypatch.setattr(grid_module, "AT_ONCE", 7)
    _, in_parts = grid(data, [PANEL], rows=2, columns=4, nearest=True)
    pd.testing.assert_frame_equal(in_parts, drawn)


def scored(at, value):
    origin = {"n": 400, "splits": None, "images_per_split": None, "extractor": "cnn", "reference": "digits/train"}  # fmt: skip
    entry = {"metric": "noise", "kind": "noise_share", "value": value, "se": 0.01} | origin
    record = {"cell": vars(at) | {"study": "s", "dataset": "digits"}, "status": "ok"}
    return record | {"metrics": [entry, entry | {"metric": "fid", "kind": "fid"}]}


def test_the_score_of_its_own_cell_is_below_each_grid():
    result = {cell(): images(), cell(sampler="HEUN"): images(), cell(epoch=5): images()}
    values = dict(zip(result, (0.75, 0.125, 0.5), strict=True))
    real = {"metric": "noise", "kind": "noise_share", "value": 0.012, "se": 0.01, "n": 360}
    data = made(
        result,
        table=score_records.tidy([scored(*pair) for pair in values.items()]),
        metrics={"noise": {"label": "share of noise"}},
        references={"digits": {"test": [real], "train": [real | {"value": 0.0}]}},
    )
    panels = [PANEL | {"samplers": ["EUL", "HEUN"]}]
    figure, drawn = grid(data, panels, rows=2, columns=4, metric="noise", nearest=True)
    lines = [{text.get_text() for text in ax.texts} for ax in figure.axes]
    assert "share of noise: 0.75 ± 0.02 (real test images: 0.012)" in lines[0]
    assert "share of noise: 0.12 ± 0.02 (real test images: 0.012)" in lines[1]
    assert drawn.groupby("role")["value"].unique()["score"].tolist() == [0.75, 0.125]
    assert len(figure.axes[0].images) == 12  # a score is no image
    caption = captions.caption(drawn, {})
    assert "is the share of noise of all 400 images" in caption
    assert "in the features of cnn, it is further from every training image than 99 %" in caption


def test_nearest_needs_training_images():
    with pytest.raises(ValueError, match="nearest requires training images of 'digits'"):
        grid(made({cell(): images()}, training={}), [PANEL], nearest=True)


def test_diverged_and_missing_grids_are_said():
    result = {cell(): images(), cell(sampler="HEUN"): images(0)}
    data = made(result, records={cell(sampler="HEUN"): {"status": "diverged"}})
    figure, drawn = grid(data, [PANEL | {"samplers": ["EUL", "HEUN", "X"]}])
    lost = drawn[drawn["sha256"].isna()]
    assert lost["status"].tolist() == ["diverged", "missing"]
    assert lost["diverged"].tolist() == [1, 0]
    assert "diverged: VE · HEUN, epoch 10" in figure.texts[0].get_text()
    with pytest.raises(ValueError, match="figure is empty"):
        grid(data, [PANEL | {"samplers": ["HEUN"]}])


def test_caption_is_the_same_from_the_csv_and_bytes_are_the_same(tmp_path):
    result = {cell(): images()}
    for name in "ab":
        figure, drawn = grid(made(result), [PANEL], nearest=True)
        saving.save(figure, drawn, tmp_path / name)
    assert facts(pd.read_csv(tmp_path / "a.csv")) == drawn.attrs["facts"]
    for suffix in ("pdf", "png", "csv"):
        one, other = (tmp_path / f"{name}.{suffix}" for name in "ab")
        assert one.read_bytes() == other.read_bytes()


def test_panels_fill_the_page_side_by_side():
    figure, _ = grid(made({cell(): images(64)}), [PANEL, PANEL])
    assert figure.get_size_inches()[0] == style.FULL_WIDTH
    figure.draw_without_rendering()
    boxes = [ax.get_window_extent() for ax in figure.axes]
    assert boxes[0].x1 < boxes[1].x0
    assert sum(box.width for box in boxes) > 0.9 * figure.bbox.width


@pytest.mark.parametrize(("value", "digits", "text"), [(181.8, 2, "180"), (5.21, 2, "5.2"), (1234.0, 3, "1230"), (30.2, 1, "30"), (0.31, 2, "0.31"), (-0.5172, 2, "-0.52")])  # fmt: skip
def test_numbers_are_written_without_powers_of_ten(value, digits, text):
    assert captions.rounded(value, digits) == text
