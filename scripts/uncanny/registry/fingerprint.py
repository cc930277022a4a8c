"""Code of a job as an input: a hash of the syntax trees that the job really runs.

From a script and the components that its job names, imports of this library are followed definition
by definition. Comments, docstrings, layout and the types of arguments do not enter, nor do
definitions that nothing reaches. Names are over-approximated: whatever is mentioned counts as used.
"""

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from uncanny.registry import components

ROOT = components.LIBRARY.parent  # the folder in which `uncanny` lies
WHOLE = "*"


def fingerprint(script: Path | str, named: Iterable[tuple[str, str]] = ()) -> str:
    """Twelve hex digits that change when the code of a job changes its meaning.

    script: the rule's script. named: (family, kind) of the components that the job loads by name.
    """
    starts = [(Path(script).resolve(), WHOLE)]
    starts += [(components.source(family, kind).resolve(), kind) for family, kind in named]
    return _digest(tuple(sorted(set(starts))))


@cache
def _digest(starts: tuple) -> str:
    reached, waiting = set(), list(starts)
    while waiting:
        item = waiting.pop()
        if item not in reached:
            reached.add(item)
            waiting.extend(_uses(*item))
    text = "\n".join(sorted(_text(path, name) for path, name in reached))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@cache
def _text(path: Path, name: str) -> str:
    label = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name
    return f"{label}:{name}:{_module(path).text(name)}"


@cache
def _uses(path: Path, name: str) -> set[tuple[Path, str]]:
    return _module(path).uses(name)


@cache
def _module(path: Path) -> "_Module":
    return _Module(path)


class _Module:
    """Top-level definitions of one file: the code of each, and the names that it mentions."""

    def __init__(self, path: Path):
        self.path = path
        self.definitions: dict[str, list[ast.stmt]] = {}
        self.imports: dict[str, tuple[Path, str]] = {}
        self.always: list[ast.stmt] = []  # statements that run on import and define nothing
        for node in components.parse(path).body:
            self._sort(node)

    def _sort(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            self.imports.update(_imported(node, self.path))
        names = _defined(node)
        for name in names:
            self.definitions.setdefault(name, []).append(node)
        if not names and not _runs_nothing(node):
            self.always.append(node)

    def _nodes(self, name: str) -> list[ast.stmt]:
        if name == WHOLE:
            named = [node for nodes in self.definitions.values() for node in nodes]
        else:
            named = self.definitions.get(name, [])
        return [_bare(node) for node in self.always + named]

    def text(self, name: str) -> str:
        return "".join(map(ast.dump, self._nodes(name)))

    def uses(self, name: str) -> set[tuple[Path, str]]:
        """(file, definition) pairs that a definition mentions, here or in other modules of the
        library.
        """
        used = set()
        for node in self._nodes(name):
            local = dict(self.imports)
            for inner in ast.walk(node):
                if isinstance(inner, ast.Import | ast.ImportFrom):
                    local.update(_imported(inner, self.path))
            used |= self._mentioned(node, local)
        return used - {(self.path, name)}

    def _mentioned(self, node: ast.stmt, imports: dict) -> set[tuple[Path, str]]:
        mentioned, qualified = set(), set()
        for inner in ast.walk(node):
            if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name):
                target = imports.get(inner.value.id)
                if target and target[1] == WHOLE:
                    mentioned.add(_attribute(target[0], inner.attr))
                    qualified.add(id(inner.value))
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and id(inner) not in qualified:
                if inner.id in imports:
                    mentioned.add(imports[inner.id])
                elif inner.id in self.definitions:
                    mentioned.add((self.path, inner.id))
        return mentioned


def _attribute(path: Path, name: str) -> tuple[Path, str]:
    """`module.name`: a submodule of a package, or a definition."""
    submodule = path.parent / f"{name}.py"
    return (submodule, WHOLE) if path.name == "__init__.py" and submodule.exists() else (path, name)


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        targets = [
            t for target in node.targets for t in ast.walk(target) if isinstance(t, ast.Name)
        ]
        return [t.id for t in targets]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def _imported(node: ast.Import | ast.ImportFrom, path: Path) -> dict[str, tuple[Path, str]]:
    """Local name -> (file, definition or WHOLE) of what an import of this library binds."""
    bound = {}
    if isinstance(node, ast.Import):
        for alias in node.names:
            file = _file(alias.name)
            if file:
                bound[alias.asname or alias.name.split(".")[0]] = (file, WHOLE)
        return bound
    module = _absolute(node, path)
    for alias in node.names:
        file = _file(f"{module}.{alias.name}")
        parent = _file(module)
        if file:
            bound[alias.asname or alias.name] = (file, WHOLE)
        elif parent:
            bound[alias.asname or alias.name] = (parent, alias.name)
    return bound


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    if not node.level or not path.is_relative_to(ROOT):
        return node.module or ""
    package = path.relative_to(ROOT).parts[: -node.level]
    return ".".join([*package, *([node.module] if node.module else [])])


def _file(module: str) -> Path | None:
    if module.split(".")[0] != "uncanny":
        return None
    stem = ROOT.joinpath(*module.split("."))
    for candidate in (stem.with_suffix(".py"), stem / "__init__.py"):
        if candidate.exists():
            return candidate
    return None


def _runs_nothing(node: ast.stmt) -> bool:
    """Docstrings, imports (followed by name) and the part of a script that only a command line
    reaches.
    """
    entry = isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"
    return entry or _is_docstring(node) or isinstance(node, ast.Import | ast.ImportFrom)


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


@cache
def _bare(node: ast.stmt) -> ast.stmt:
    """The tree without docstrings, positions and the types of arguments."""
    bare = ast.parse(ast.unparse(node)).body[0]
    for inner in ast.walk(bare):
        body = getattr(inner, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            inner.body = body[1:] or [ast.Pass()]
        if isinstance(inner, ast.arg):
            inner.annotation = None
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            inner.returns = None
    return bare
