"""Files of a figure: whole, deterministic, and made without torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from plotted import draw, made

from uncanny.figures import saving, style


class TestFiles:
    def test_same_bytes_twice_also_in_another_process(self, tmp_path):
        saving.save(*draw(made()), tmp_path / "here")
        code = (
            "import plotted as t; from uncanny.figures import saving;"
            f"saving.save(*t.draw(t.made()), {str(tmp_path / 'there')!r})"
        )
        paths = ":".join(sys.path)
        env = {"PYTHONPATH": paths, "PYTHONHASHSEED": "7", "MPLCONFIGDIR": str(tmp_path)}
        subprocess.run([sys.executable, "-c", code], check=True, env=env)
        for suffix in ("pdf", "png", "csv"):
            here, there = (tmp_path / f"{name}.{suffix}" for name in ("here", "there"))
            assert here.read_bytes() == there.read_bytes(), suffix

    def test_three_files_their_checksums_and_nothing_else(self, tmp_path):
        saving.save(*draw(made()), tmp_path / "new" / "figure_A.1")
        result = sorted(path.name for path in (tmp_path / "new").iterdir())
        assert result == ["figure_A.1.csv", "figure_A.1.pdf", "figure_A.1.png", "figure_A.1.sha256"]

    def test_failure_leaves_the_old_files(self, tmp_path, monkeypatch):
        figure, drawn = draw(made())
        (tmp_path / "f.csv").write_text("old")
        monkeypatch.setattr(type(figure), "savefig", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            saving.save(figure, drawn, tmp_path / "f")
        assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("f.csv", "old")]

    def test_fonts_are_embedded_as_truetype_and_no_date_is_written(self, tmp_path):
        saving.save(*draw(made()), tmp_path / "f")
        content = (tmp_path / "f.pdf").read_bytes()
        assert b"/FontFile2" in content
        assert b"CreationDate" not in content


LIBRARY = Path(style.__file__).parent
MODULES = [*LIBRARY.glob("*.py"), LIBRARY.parent / "evaluation/score_records.py"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_figures_need_no_torch(path):
    tree = ast.parse(path.read_text())
    names = [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    names += [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    assert not [name for name in names if name.split(".")[0] in ("torch", "torchvision")]
    assert "matplotlib.pyplot" not in names
