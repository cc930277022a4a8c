"""Damaged configs: one seeded change each, and what has to come of it.

A change is made to the parsed config or to its text. It is `same` (the plan may not change), `refused`
(one message, which names the key), or `either`: it may be another study, if that can be planned.
"""

import json
import random
import re
from dataclasses import dataclass, field

import yaml

SAME, REFUSED, EITHER = "same", "refused", "either"
REFERENCES = {"dataset", "process", "schedule", "network", "training", "models", "samplers", "guidances"}  # fmt: skip
REFERENCES |= {"classifier", "classifiers", "norm_of", "extractor", "metrics", "metric", "experiments", "kind", "grid", "recipe"}  # fmt: skip
SIGNED = {"scale", "start", "end", "exponent", "strength"}  # may be negative
FLOATS = (float("nan"), float("inf"), float("-inf"))


@dataclass
class Mutation:
    """One change. where: path of keys that it was made at. config: parsed, or None where only text
    can say it. words: one of them has to be in the message, beside the path itself.
    """

    name: str
    where: tuple
    expected: str
    config: object = None
    text: str | None = None
    words: list = field(default_factory=list)
    overrides: dict = field(default_factory=dict)  # what of the config is from the command line

    def written(self) -> str:
        return self.text if self.text is not None else yaml.dump(self.config, sort_keys=False)


def plain(config: dict) -> dict:
    """The same config with nothing shared between its blocks."""
    return json.loads(json.dumps(config))


def mutated(config: dict, seed: int) -> Mutation:
    """A change of a plain config, as the seed has it."""
    draw = random.Random(seed)
    while True:
        result = draw.choice(MUTATORS)(plain(config), draw)
        if result is not None:
            return result


def places(value: object, where: tuple = ()):
    """(path, value) of everything in a config, below the top."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()  # fmt: skip
    for key, part in items:
        yield (*where, key), part
        yield from places(part, (*where, key))


def _some(config: dict, draw: random.Random, wanted) -> tuple | None:
    result = [(where, value) for where, value in places(config) if wanted(where, value)]
    return draw.choice(result) if result else None


def _parent(config: object, where: tuple):
    for key in where[:-1]:
        config = config[key]
    return config


def _put(name: str, config: dict, where: tuple, value: object, expected: str) -> Mutation:
    _parent(config, where)[where[-1]] = value
    return Mutation(name, where, expected, config, words=[str(value)[:60]])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_name(where: tuple) -> bool:
    """Whether the last key is a name that the study gives, not one of the schema's."""
    return len(where) == 2 or (where[0] == "claims" and where[-1] not in ("kind", "options", "metric"))  # fmt: skip


# ---- Changes of the parsed config -------------------------------------------------------------


def drop(config, draw):
    where, value = _some(config, draw, lambda *_: True)
    del _parent(config, where)[where[-1]]
    return Mutation("drop", where, EITHER, config, words=[str(value)] if isinstance(value, str) else [])  # fmt: skip


def rename(config, draw):
    where, value = _some(config, draw, lambda where, _: isinstance(where[-1], str))
    key = draw.choice([where[-1] + "x", where[-1][:-1], where[-1].upper() + "_", "ünï" + where[-1], where[-1] + "\n", ""])  # fmt: skip
    parent = _parent(config, where)
    if key in parent:
        return None
    del parent[where[-1]]
    parent[key] = value
    legal = re.fullmatch(r"[A-Za-z0-9_]+", key)
    expected = EITHER if _is_name(where) and legal else REFUSED
    return Mutation("rename", where, expected, config, words=[key, repr(key)])


def retype(config, draw):
    where, value = _some(config, draw, lambda *_: True)
    others = {
        bool: ["maybe", 2, [True]],
        int: ["many", {}, [[1]]],
        float: ["1e-4", {}, [0.5]],
        str: [12345, {"a": 1}, ["x"], True],
        list: ["x y", 3, {"a": 1}, [{}]],
        dict: ["x y", 3, [1], True],
    }
    return _put("retype", config, where, draw.choice(others[type(value)]), REFUSED)


def nothing(config, draw):
    where, _ = _some(config, draw, lambda *_: True)
    return _put("null", config, where, None, EITHER)


def number(config, draw):
    where, value = _some(config, draw, lambda _, value: _is_number(value))
    if draw.random() < 0.4:
        return _put("not finite", config, where, draw.choice(FLOATS), REFUSED)
    kind = draw.choice(["negative", "zero", "huge", "fraction"])
    if kind == "negative":
        signed = any(key in SIGNED for key in where)
        return _put(kind, config, where, -1 - abs(value), EITHER if signed else REFUSED)
    if kind == "huge":
        huge = 10**15 if isinstance(value, int) else 1e300
        return _put(kind, config, where, huge, REFUSED if type(value) is int and where[0] != "claims" else EITHER)  # fmt: skip
    return _put(kind, config, where, 0 if kind == "zero" else value + 0.5, EITHER)


def reference(config, draw):
    def refers(where, value):
        keys = [key for key in where if isinstance(key, str)]
        return isinstance(value, str) and keys[-1] in REFERENCES

    where, value = _some(config, draw, refers)
    other = draw.choice(
        [value + "x", "absent", "", "../" + value, value + "\n", "ünïcode", "x" * 500]
    )
    keys = [key for key in where if isinstance(key, str)]
    free = where[0] == "claims" and keys[-1] != "kind" and re.fullmatch("[A-Za-z0-9_]{1,64}", other)
    return _put("reference", config, where, other, EITHER if free else REFUSED)


def empty(config, draw):
    where, value = _some(config, draw, lambda _, value: isinstance(value, list | dict) and value)
    return _put("empty", config, where, type(value)(), EITHER)


def repeat(config, draw):
    where, value = _some(config, draw, lambda _, value: isinstance(value, list) and value)
    return _put("repeat", config, where, value + value[:1], EITHER)


def text(config, draw):
    where, _ = _some(config, draw, lambda where, value: isinstance(value, str))
    odd = draw.choice(["\x00", "a\x1bb", "\ud800", "x" * 20_000])
    return _put("text", config, where, odd, REFUSED)


def unicode_label(config, draw):
    result = _some(
        config, draw, lambda where, _: where[-1] in ("label", "title", "caption", "statement")
    )
    return result and _put("unicode", config, result[0], "Größe × 数字 🙂 {x} $HOME `id`", EITHER)


def deep(config, draw):
    where, value = _some(config, draw, lambda *_: True)
    for _ in range(draw.choice([30, 300])):
        value = [value] if draw.random() < 0.5 else {"a": value}
    return _put("deep", config, where, value, REFUSED)


def itself(config, draw):
    where, value = _some(config, draw, lambda _, value: isinstance(value, list | dict) and value)
    inside = [value] if isinstance(value, list) else {"a": value}
    value.append(inside) if isinstance(value, list) else value.update(itself=inside)
    return Mutation("itself", where, REFUSED, config, words=["itself"])


def unknown(config, draw):
    where, value = _some(config, draw, lambda _, value: isinstance(value, dict))
    value["surprise"] = draw.choice([1, None, [], "x"])
    expected = EITHER if where == ("estimate",) else REFUSED
    return Mutation("unknown", (*where, "surprise"), expected, config)


def odd_key(config, draw):
    where, value = _some(config, draw, lambda _, value: isinstance(value, dict) and value)
    key = draw.choice(sorted(value))
    value[draw.choice([1, True, None, 2.5])] = value.pop(key)
    return Mutation("odd key", (*where, key), REFUSED, config, words=["the key"])


def odd_value(config, draw):
    import datetime

    where, _ = _some(config, draw, lambda *_: True)
    odd = [datetime.date(2020, 1, 2), {1, 2}, b"abc", (1, 2), 10**40, 1j]
    return _put("odd value", config, where, draw.choice(odd), REFUSED)


def reordered(config, draw):
    def turned(value):
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return [turned(part) for part in value] if isinstance(value, list) else value

    return Mutation("reordered", (), SAME, turned(config))


def counted_in_text(config, draw):
    keys = [key for key in ("seeds", "sampling_seeds", "num_images", "milestones", "segment_epochs") if key in config]  # fmt: skip
    key = draw.choice(keys)
    value = config[key]
    config[key] = [str(v) for v in value] if isinstance(value, list) else f" {value} "
    return Mutation("numbers as text", (key,), SAME, config, overrides={key: config[key]})


# ---- Changes of the text ----------------------------------------------------------------------


def style(config, draw):
    """The same study, written otherwise."""
    block = yaml.dump(config, allow_unicode=True, sort_keys=False, width=10_000)
    ways = {
        "flow": lambda: yaml.dump(config, default_flow_style=True, sort_keys=False),
        "json": lambda: re.sub(r"(?<=[:\[,] )(\d+)e(?=-\d)", r"\1.0e", json.dumps(config)),
        "yes and no": lambda: block.replace(": true", ": yes").replace(": false", ": no"),
        "windows": lambda: block.replace("\n", "\r\n"),
        "byte order mark": lambda: "\ufeff" + block,
        "document": lambda: f"---\n{block}...\n",
        "comments": lambda: re.sub(r"\n(?=\S)", "\n# a remark: with a colon\n\n", block),
        "quoted keys": lambda: re.sub(r"^( *)(\w+):", r'\1"\2":', block, flags=re.M),
        "anchors": lambda: yaml.dump(_shared(config, {}), allow_unicode=True, sort_keys=False),
    }
    name = draw.choice(sorted(ways))
    return Mutation(name, (), SAME, text=ways[name]())


def _shared(value: object, known: dict):
    """Equal lists and mappings as one object, which YAML writes once."""
    if isinstance(value, dict):
        value = {key: _shared(part, known) for key, part in value.items()}
    elif isinstance(value, list):
        value = [_shared(part, known) for part in value]
    else:
        return value
    return known.setdefault(json.dumps(value), value)


def twice(config, draw):
    lines = yaml.dump(config, allow_unicode=True, sort_keys=False, width=10_000).splitlines()
    at = draw.choice([n for n, line in enumerate(lines) if re.match(r" *\w+:", line)])
    indent, key = re.match(r"( *)(\w+):", lines[at]).groups()
    lines.insert(at, f"{indent}{key}: {draw.choice(['null', '1', '{}', '[a, b]'])}")
    return Mutation("key twice", (key,), REFUSED, text="\n".join(lines), words=["stands twice"])


def broken(config, draw):
    """No YAML."""
    lines = yaml.dump(config, allow_unicode=True, sort_keys=False).splitlines()
    inner = [n for n, line in enumerate(lines) if line.startswith("  ")]
    at = draw.choice(inner)
    lines[at] = draw.choice(["\t" + lines[at].lstrip(), lines[at] + ": :", "{[", "'" + lines[at], "*nowhere", "--- "])  # fmt: skip
    try:
        if isinstance(yaml.load("\n".join(lines), Loader=yaml.CFullLoader), dict):
            return None  # it was one all the same
    except yaml.YAMLError:
        pass
    return Mutation("no YAML", (), REFUSED, text="\n".join(lines))


def bomb(config, draw):
    where, _ = _some(config, draw, lambda where, _: len(where) == 1)
    levels = "\n".join(f"- &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 9))
    del config[where[0]]
    block = yaml.dump(config, allow_unicode=True, sort_keys=False)
    return Mutation("bomb", where, REFUSED, text=f"{block}{where[0]}:\n- &l0 [a]\n{levels}\n")


MUTATORS = [drop, drop, rename, rename, retype, retype, nothing, number, number, number, reference]
MUTATORS += [reference, empty, empty, repeat, text, unicode_label, deep, itself, unknown, odd_key]
MUTATORS += [odd_value, reordered, counted_in_text, style, style, twice, twice, broken, bomb]
