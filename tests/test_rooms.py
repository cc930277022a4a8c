"""The library's rooms: each imports only what stands above it, components that are named included."""

import ast
import re
from pathlib import Path

import pytest

from uncanny.registry import components

LIBRARY = Path(components.__file__).parents[1]
ORDER = ["registry", "runtime", "diffusion", "networks", "samplers", "datasets", "guidance"]
ORDER += ["training", "sampling", "evaluation", "experiments", "claims", "tables", "figures"]
ORDER += ["interop", "study", "estimate", "workflow"]
FILES = sorted(path for path in LIBRARY.rglob("*.py") if path.parent != LIBRARY)


def room(path):
    return path.relative_to(LIBRARY).parts[0]


def imported(path):
    """Rooms that a file imports or loads components of, at any place in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("uncanny."):
            yield node.module.split(".")[1]
        if isinstance(node, ast.ImportFrom) and node.module == "uncanny":
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            start, _, rest = node.value.partition(".")
            if start == "uncanny" and rest:
                yield rest.split(".")[0]
        loads = ("components.load", "components.call")
        if isinstance(node, ast.Call) and ast.unparse(node.func) in loads:
            yield components.PACKAGES[ast.literal_eval(node.args[0])].split(".")[0]


def test_the_library_has_rooms_and_nothing_else():
    result = {path.name for path in LIBRARY.iterdir() if path.name != "__pycache__"}
    assert result == {*ORDER, "__init__.py"}
    for name in ORDER:
        assert ast.get_docstring(ast.parse((LIBRARY / name / "__init__.py").read_text())), name


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_no_import_climbs(path):
    floor = ORDER.index(room(path))
    climbing = {name for name in imported(path) if ORDER.index(name) > floor}
    assert not climbing


def test_only_the_workflow_knows_snakemake():
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert room(path) == "workflow" or "import snakemake" not in text, path
        assert room(path) == "workflow" or "from snakemake" not in text, path


def test_the_page_has_the_same_order():
    page = (LIBRARY.parents[1] / "docs/architecture.md").read_text()
    rows = "".join(line for line in page.splitlines() if line.startswith("| ["))
    assert re.findall(r"scripts/uncanny/(\w+)\)", rows) == ORDER
