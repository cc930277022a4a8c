"""Paths below results/STUDY: composed and taken apart by one table, which the rules share."""

import re
from pathlib import Path

import pytest
import yaml
from test_configuration import ROOT, SHIPPED, TINY, plan

from uncanny.figures import figure_data
from uncanny.registry import components
from uncanny.runtime import result_paths
from uncanny.runtime.result_paths import FILES, OF_CELLS, Cell
from uncanny.study import plan as planning
from uncanny.study.plan import claims as plan_claims
from uncanny.study.plan import inputs

CELL = Cell("ve", 1, "EUL", "G1", 2, 30)
MORE = {"first": 0, "number": 400, "extractor": "cnn"}


def test_the_contract():
    assert CELL.path("scores") == "scores/ve/seed-1/EUL/G1/draw-2/epoch-30.json"
    assert CELL.path("checkpoints") == "checkpoints/ve/seed-1/epoch-30.pt"
    assert result_paths.path("figures", figure="figure_1", suffix="pdf") == "figures/figure_1.pdf"
    assert result_paths.path("tables", table="table_A1", suffix="csv") == "tables/table_A1.csv"
    assert str(CELL) == "ve/seed-1/EUL/G1/draw-2/epoch-30"


def test_kinds_of_files_have_paths_of_their_own():
    assert len(set(FILES.values())) == len(FILES)


def cells_of(study):
    """All cells that figures, tables and claims of a study ask for."""
    for figure in study.config["figures"]:
        yield from planning.figure_cells(study, figure)
    for block in study.config["tables"].values():
        yield from planning.timed_cells(study, block)
        for selection in [*block.get("scores", []), *block.get("sizes", [])]:
            yield from planning.cells(study, selection, "last")
    for path in plan_claims.files(study)["scores"]:
        yield Cell.from_path(path)


@pytest.mark.parametrize("config", [ROOT / "tests/tiny.yaml", *SHIPPED], ids=lambda p: p.stem)
def test_every_cell_of_a_study_comes_back_from_its_paths(config):
    study = plan(yaml.safe_load(config.read_text()))
    cells = set(cells_of(study))
    assert cells or config.stem.startswith("design_space")  # whose experiments draw for themselves
    for kind in OF_CELLS:
        paths = {cell.path(kind, **MORE): cell for cell in cells}
        for path, cell in paths.items():
            result = Cell.from_path(Path("results", study.name, path))
            assert result.path(kind, **MORE) == path
            assert result == cell or kind == "traces"


def test_a_trace_has_no_guidance_and_no_draw():
    assert Cell.from_path(CELL.path("traces")) == Cell("ve", 1, "EUL", "none", 0, 30)


@pytest.mark.parametrize("path", ["some/x.npz", "samples/ve/seed-x/EUL/G1/draw-2/epoch-30.npz"])
def test_other_paths_name_no_cell(path):
    with pytest.raises(
        ValueError, match=rf"{path}: names no cell; expected FOLDER/{{model}}/seed-"
    ):
        Cell.from_path(path)


def test_other_paths_are_of_no_kind():
    with pytest.raises(ValueError, match=r"a/b\.json: no path of losses; expected FOLDER/losses/"):
        result_paths.names("losses", "a/b.json")
    assert not result_paths.is_of("datasets", "datasets/digits/other.json")


def test_names_of_classifiers_come_back():
    names = {"classifier": "noisy_2", "dataset": "d", "process": "p", "schedule": "none"}
    path = result_paths.path("reports", **names)
    assert result_paths.names("reports", Path("results/s", path)) == names


def test_a_cell_of_a_record():
    record = {"study": "s", "dataset": "digits", **vars(CELL)}
    assert Cell.of(record) == CELL


def test_rules_compose_no_path_of_a_cell_themselves():
    text = "".join(path.read_text() for path in ROOT.glob("workflow/rules/*.smk"))
    assert not re.findall(r"(?:seed|draw|epoch)-\{", text)
    assert set(re.findall(r'pattern\("(\w+)"\)', text)) <= set(FILES)


def test_no_other_module_composes_a_path_of_a_cell():
    composing = re.compile(r"(?:seed|draw|epoch)-(?:\{|\()")
    files = [p for p in components.LIBRARY.rglob("*.py") if composing.search(p.read_text())]
    assert [path.stem for path in files if path.parent.name != "estimate"] == ["result_paths"]


def test_every_kind_that_a_figure_reads_has_a_reader():
    study = plan(TINY)
    read = {kind for figure in study.config["figures"] for kind in inputs.of_figure(study, figure)}
    assert {"scores", "samples", "sizes", "traces", "references", "datasets"} <= read
    assert read <= set(figure_data.READERS) <= set(FILES)
