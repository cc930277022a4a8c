"""Damaged configs: each plans as before, is another study, or is refused by one message that names the key.

UNCANNY_FUZZ changes there are, seeded: 500 unless the variable says otherwise (`make fuzz`).
"""

import json
import os
import random
import re
import subprocess
import sys

import pytest
import yaml
from mutations import EITHER, REFUSED, SAME, mutated, plain
from test_configuration import ROOT, SHIPPED

from uncanny.study import checks, configuration, plan
from uncanny.study.plan import claims as plan_claims
from uncanny.study.plan import inputs
from uncanny.study.plan import tables as plan_tables
from uncanny.study.resolved_blocks import NO_GUIDANCE
from uncanny.study.study import Study

COUNT = int(os.environ.get("UNCANNY_FUZZ", 500))
BLOCK = 50
TINY = ROOT / "tests/tiny.yaml"
LONG = 2000  # characters of a message


def load(path):
    return plain(yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CFullLoader))


CONFIGS = {path.stem: load(path) for path in (TINY, *SHIPPED)}


def config_of(seed):
    """The name of a shipped config; every second time the smallest."""
    draw = random.Random(f"config {seed}")
    return "tiny" if draw.random() < 0.5 else draw.choice(sorted(CONFIGS))


def planned(config, written=(), overrides=None):
    """Everything that the rules ask of the plan, as text; ValueError for what is refused."""
    study = Study(configuration.validated(config, ROOT, written, overrides))
    checks.check(study)
    cells = {c for figure in study.config["figures"] for c in plan.figure_cells(study, figure)}
    samplings = {(c.model, c.sampler, c.guidance) for c in cells}
    result = {
        "name": study.name,
        "wildcards": {key: sorted(text.split("|")) for key, text in study.wildcards.items()},
        "files": {f: [inputs.of_figure(study, f), plan.appearance(study, f)]
                  for f in study.config["figures"]},
        "identities": {m: study.identity(m) for m in sorted({c.model for c in cells})},
        "samplings": [[*one, study.sampler(one[1], one[0]), study.guidance(one[2])] for one in sorted(samplings)],
        "segments": {str(c.epoch): study.previous_epoch(c.epoch) for c in sorted(cells)},
        "classifiers": [study.guiding(g) for *_, g in sorted(samplings) if g != NO_GUIDANCE],
        "evaluations": {d: study.evaluation(d) for d in sorted(study.config["evaluation"])},
        "tables": {t: [plan_tables.contents(study, t), inputs.of_table(study, t)]
                   for t in study.config["tables"]},
        "claims": [{key: sorted(paths) for key, paths in plan_claims.files(study).items()}, {c: plan_claims.resolved(study, c) for c in study.config["claims"]}],
    }  # fmt: skip
    return json.dumps(result, sort_keys=True, allow_nan=False)


BEFORE = {}


def before(name):
    if name not in BEFORE:
        BEFORE[name] = planned(plain(CONFIGS[name]))
    return BEFORE[name]


def outcome(mutation, folder):
    """(plan or None, message or None); what is written in YAML alone is read as Snakemake reads it."""
    config, written = mutation.config, ()
    if mutation.text is not None:
        path = folder / "study.yaml"
        path.write_text(mutation.text, encoding="utf-8", newline="")
        written = [path]
        try:
            config = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CFullLoader)
        except yaml.YAMLError as error:
            return None, f"not YAML: {str(error).splitlines()[0]}"
        if not isinstance(config, dict):
            return None, "not YAML: keys expected"
    try:
        return planned(config, written, mutation.overrides), None
    except ValueError as error:
        return None, str(error)


def dotted(where):
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in where)[1:]


def names_the_place(message, mutation):
    """The message starts with a key's path, and says where the change was made or what was changed."""
    if message.startswith("not YAML"):
        return mutation.text is not None
    where = mutation.where
    keys = [str(key) for key in where if isinstance(key, str)]
    places = [dotted(where), *keys[-2:], *mutation.words, *(w[:40] for w in mutation.words if w)]
    starts = re.match(r"(\S*: )?[\w.\[\]]+[^:\n]*: ", message)
    return bool(starts) and any(place and place in message for place in places)


def wrong(seed, folder):
    """What is wrong with how a change is taken, or None."""
    name = config_of(seed)
    mutation = mutated(CONFIGS[name], seed)
    label = f"{seed}: {name}: {mutation.name} at {dotted(mutation.where)}"
    try:
        result, message = outcome(mutation, folder)
    except Exception as error:
        return f"{label}: {type(error).__name__}: {str(error)[:300]}"
    if message is None:
        if mutation.expected == REFUSED or (mutation.expected == SAME and result != before(name)):
            return f"{label}: planned; expected {mutation.expected}"
        return None
    if mutation.expected == SAME:
        return f"{label}: refused: {message[:300]}"
    if "\n" in message or len(message) > LONG or not names_the_place(message, mutation):
        return f"{label}: names no key, or is no one line: {message[:300]!r}"
    return None


@pytest.mark.parametrize("first", range(0, COUNT, BLOCK))
def test_a_damaged_config_is_planned_or_refused_by_name(first, tmp_path):
    seeds = range(first, min(first + BLOCK, COUNT))
    result = [problem for seed in seeds if (problem := wrong(seed, tmp_path))]
    assert not result, "\n".join(result)


SPREAD = 37  # between seeds, so that changes of every kind and of several studies are among them
LINES = 1000  # seeds of the command line start here


@pytest.mark.workflow
def test_the_command_line_says_the_same_in_one_message(tmp_path):
    """Twenty damaged configs, as a user runs them: a plan, or a message without a traceback."""
    seeds = range(LINES, LINES + 20 * SPREAD, SPREAD)
    changes = [mutated(CONFIGS["tiny"], seed) for seed in seeds]
    paths = [(tmp_path / f"{seed}.yaml", tmp_path / f"{seed}.txt") for seed in seeds]
    for change, (path, _) in zip(changes, paths, strict=True):
        path.write_text(change.written(), encoding="utf-8", errors="surrogatepass", newline="")
    command = [
        sys.executable,
        ROOT / "tests/fuzz_driver.py",
        ROOT,
        *(p for pair in paths for p in pair),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    for change, (path, printed), status in zip(changes, paths, done.stdout.split(), strict=True):
        text = printed.read_text(encoding="utf-8")
        label = f"{path.name}: {change.name} at {dotted(change.where)}:\n{text[-1500:]}"
        assert "Traceback" not in text, label
        refused = status != "0"
        if change.expected != EITHER:
            assert refused == (change.expected == REFUSED), label
        if refused:
            assert (
                len(
                    re.findall(
                        r"^config: |Config file is not valid|Config file must be", text, flags=re.M
                    )
                )
                == 1
            ), label
