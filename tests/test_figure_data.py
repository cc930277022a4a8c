"""What figures read: files of every sort, the names that panels give."""

import json

import numpy as np
import pytest
from test_scores import record

from uncanny.figures import figure_data, panels
from uncanny.registry import components
from uncanny.runtime.result_paths import Cell

KINDS = [
    "class_guidance",
    "curves",
    "deciles",
    "exact_schedules",
    "grid",
    "inpainting",
    "phase_space",
    "plateau",
    "processes",
    "sample_size",
    "sensitivity",
    "sweep",
    "trained_schedules",
    "training_weights",
]


def test_kinds_are_modules_with_literal_constants():
    assert set(KINDS) <= set(components.kinds("figures"))
    for kind in components.kinds("figures"):
        module = components.load("figures", kind).__globals__
        needs = module["NEEDS"]
        sorts = {needs} if isinstance(needs, str) else set(needs)
        assert sorts <= set(figure_data.READERS)
        assert module["EPOCHS"] in ("all", "last")
        assert module["RUNS"] in ("all", "first")


class TestRead:
    def samples(self, folder):
        path = folder / "samples/ve/seed-0/EUL/none/draw-0/epoch-5.npz"
        path.parent.mkdir(parents=True)
        np.savez(path, images=np.ones((3, 1, 2, 2), np.uint8), labels=np.arange(3))
        path.with_suffix(".json").write_text(json.dumps({"status": "ok"}))
        return path

    def test_scores(self, tmp_path):
        (tmp_path / "a.json").write_text(json.dumps(record()))
        assert len(figure_data.read({"scores": [tmp_path / "a.json"]})["table"]) == 1

    def test_samples_with_the_record_beside_them(self, tmp_path):
        result = figure_data.read({"samples": [self.samples(tmp_path)]})
        cell = Cell("ve", 0, "EUL", "none", 0, 5)
        assert result["images"][cell].shape == (3, 1, 2, 2)
        assert result["labels"][cell].tolist() == [0, 1, 2]
        assert result["records"][cell] == {"status": "ok"}

    def test_damaged_files_are_named(self, tmp_path):
        path = self.samples(tmp_path)
        path.write_bytes(path.read_bytes()[:40])
        with pytest.raises(ValueError, match=r"epoch-5\.npz: not a whole file of images, labels"):
            figure_data.read({"samples": [path]})
        (tmp_path / "s.json").write_text("{}")
        with pytest.raises(ValueError, match=r"s\.json: not scores by size"):
            figure_data.read({"sizes": [tmp_path / "s.json"]})

    def test_unknown_need(self):
        with pytest.raises(ValueError, match=r"reads 'score', expected one of scores, samples"):
            figure_data.read({"score": []})

    def test_training_images_are_named_by_their_folder(self, tmp_path):
        components.load("datasets", "digits")(tmp_path / "eights")
        result = figure_data.read({"datasets": [tmp_path / "eights/dataset.json"]})
        assert result["training"]["eights"].shape == (1437, 1, 8, 8)


class TestPanels:
    def test_product_without_series(self):
        panel = {"models": ["a", "b"], "samplers": ["S"], "guidances": ["none", "G"]}
        assert [curve[1:] for curve in panels.curves_of(panel)] == [
            ("a", "S", "none"),
            ("b", "S", "none"),
            ("a", "S", "G"),
            ("b", "S", "G"),
        ]

    def test_a_series_replaces_the_lists_that_it_has(self):
        series = [{"label": "x", "samplers": ["S1", "S2"]}, {"label": "y", "guidances": ["G"]}]
        panel = {"models": ["a"], "samplers": ["S"], "series": series}
        assert [tuple(curve) for curve in panels.curves_of(panel)] == [
            ("x", "a", "S1", "none"),
            ("x", "a", "S2", "none"),
            ("y", "a", "S", "G"),
        ]

    def test_letters(self):
        assert [panels.letter(i) for i in (0, 25, 26)] == ["a", "z", "aa"]
