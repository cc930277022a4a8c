"""Loading never executes code, and no shell is given what a user wrote."""

import ast
import re

import pytest
from test_configuration import ROOT

SOURCES = sorted((ROOT / "scripts").rglob("*.py"))
RULES = [ROOT / "Snakefile", *sorted((ROOT / "workflow").rglob("*.smk"))]
# Calls that run what they read, and where one is there for a reason.
EXECUTING = {"eval", "exec", "os.system", "os.popen", "pickle.load", "pickle.loads", "pickle.Unpickler"}  # fmt: skip
EXECUTING |= {"yaml.unsafe_load", "yaml.full_load", "marshal.loads", "shelve.open", "joblib.load", "runpy.run_path"}  # fmt: skip
LOADERS = {"LOADER", "yaml_rules.LOADER", "yaml.BaseLoader"}  # the last gives texts alone
ALLOWED = {
    ("option_types.py", "eval"),  # annotations of this library, without builtins
    ("nfe.py", "eval"),  # formulas of this library, without builtins
    ("fork_server.py", "runpy.run_path"),  # from the same user, through a socket of mode 0700
}


def calls(path):
    """(dotted name, call) of every call in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def keyword(call, name):
    return next((ast.unparse(k.value) for k in call.keywords if k.arg == name), None)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
def test_nothing_that_is_read_is_run(path):
    for name, call in calls(path):
        assert name not in EXECUTING or (path.name, name) in ALLOWED, f"{path}: {name}"
        if name == "torch.load":
            assert keyword(call, "weights_only") == "True", f"{path}: {name} without weights_only"
        if name == "yaml.load":
            assert keyword(call, "Loader") in LOADERS, f"{path}: {name}"
        if name.endswith("extractall"):
            assert keyword(call, "filter") == "'data'", f"{path}: {name} without a filter"
        assert keyword(call, "allow_pickle") in (None, "False"), f"{path}: {name} with pickles"
        assert keyword(call, "shell") in (None, "False"), f"{path}: {name} with a shell"


def test_the_loader_of_yaml_makes_plain_values_only():
    from uncanny.study import yaml_rules

    assert yaml_rules.LOADER.__name__ in ("CSafeLoader", "SafeLoader")


@pytest.mark.parametrize("path", RULES, ids=lambda p: p.stem)
def test_rules_run_scripts_and_no_shell(path):
    """Snakemake hands a script its values as data; a shell command would have to quote them."""
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"^\s*(shell|run):", text, flags=re.M)
