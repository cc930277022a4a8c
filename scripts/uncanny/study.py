"""A study's config becomes a plan: which models, which cells, which figures, and what each job
depends on.

No torch here: the Snakefile imports this. Everything that a job depends on comes out sorted, so
that the order of keys in a config means nothing.
"""

import ast
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from itertools import product
from pathlib import Path

from uncanny import components
from uncanny.fingerprint import fingerprint

SCRIPTS = Path(__file__).parent.parent
APPEARANCE = {"label", "color"}  # keys that only figures and tables see
CURVE = ("models", "samplers", "guidances")  # what makes a curve


@dataclass(frozen=True, order=True)
class Cell:
    """One scored set of images: a checkpoint, a way to sample it, a draw."""

    model: str
    seed: int
    sampler: str
    guidance: str
    draw: int
    epoch: int

    @property
    def path(self) -> str:
        """Where its files lie below samples/ and scores/, without suffix."""
        walk = f"{self.sampler}/{self.guidance}/draw-{self.draw}"
        return f"{self.model}/seed-{self.seed}/{walk}/epoch-{self.epoch}"


class Study:
    """The plan of one config that `configuration.validated` and `checks.check` have passed."""

    def __init__(self, config: dict):
        self.config = config
        self.name = config["study"]

    # -- what determines the results -------------------------------------------------------------

    @cache
    def component(self, section: str, name: str) -> dict:
        """Complete options of a named block and its kind, without its appearance."""
        block = self.block(section, name)
        where = f"{section}.{name}"
        given = {k: v for k, v in block.items() if k != "kind" and k not in APPEARANCE}
        family = "families" if section == "processes" else section
        more = {"dataset": (str, components.REQUIRED)} if section == "extractors" else {}
        options = components.resolve(family, block["kind"], given, where, more=more)
        return {"kind": block["kind"]} | options

    @cache
    def identity(self, model: str) -> dict:
        """Everything that determines a model's weights but the seed: names replaced by what they
        stand for.
        """
        block = self.names(model)
        schedule = block.get("schedule")
        return {
            "dataset": block["dataset"],
            "process": self.component("processes", block["process"]),
            "schedule": self.component("schedules", schedule) if schedule else None,
            "network": self.component("networks", block["network"]),
            "training": canonical(self.block("training", block["training"])),
            "conditional": block.get("conditional", False),
        }

    @cache
    def sampler(self, sampler: str, model: str) -> dict:
        """Complete options of a sampler as it walks with a model."""
        block = self.block("samplers", sampler)
        process = self.names(model)["process"]
        special = block.get("by_process", {}).get(process, {})
        given = {
            k: v
            for k, v in (block | special).items()
            if k not in APPEARANCE | {"kind", "by_process"}
        }
        family = self.block("processes", process)["kind"]
        start = family_start(family)
        where = f"samplers.{sampler}" + (f".by_process.{process}" if special else "")
        kind = special.get("kind", block["kind"])
        options = components.resolve("samplers", kind, expanded(given), where, more=start)
        if "grid" in options:
            options["grid"] = _nested("sigma_grids", options["grid"], f"{where}.grid")
        return {"kind": kind} | options

    def evaluation(self, dataset: str) -> dict:
        """How samples of a dataset's models are measured: extractor, reference split, complete
        metrics by name.
        """
        block = self.block("evaluation", dataset)
        metrics = {name: self.component("metrics", name) for name in sorted(block["metrics"])}
        return {
            "extractor": block["extractor"],
            "reference": block.get("reference", "train"),
            "metrics": metrics,
        }

    # -- extent ----------------------------------------------------------------------------------

    def milestones(self, model: str) -> list[int]:
        """Epochs at which a model is sampled and scored, ascending."""
        return self.config["models"][model].get("milestones") or self.config["milestones"]

    def previous_epoch(self, epoch: int) -> int | None:
        """The checkpoint that training to `epoch` goes on from: the last one of the grid before it,
        or none.
        """
        length = self.config["segment_epochs"]
        return (epoch - 1) // length * length or None if epoch > 0 else None

    @property
    def seeds(self) -> list[int]:
        return self.config["seeds"]

    @property
    def draws(self) -> list[int]:
        return self.config["draws"]

    # -- figures ---------------------------------------------------------------------------------

    def figure(self, name: str) -> dict:
        return self.block("figures", name)

    def curves(self, figure: str) -> list[tuple[str, str, str]]:
        """(model, sampler, guidance) of all panels, each once, in the order of the config."""
        found = [
            curve
            for panel in self.figure(figure)["panels"]
            for curve in product(
                panel["models"], panel["samplers"], panel.get("guidances", ["none"])
            )
        ]
        return list(dict.fromkeys(found))

    def figure_cells(self, figure: str) -> list[Cell]:
        """Cells that a figure draws."""
        return [
            Cell(model, seed, sampler, guidance, draw, epoch)
            for model, sampler, guidance in self.curves(figure)
            for seed, draw in product(self.seeds, self.draws)
            for epoch in self.milestones(model)
        ]

    @staticmethod
    def cell(wildcards) -> Cell:
        """The cell that the wildcards of a file name say."""
        w = wildcards
        return Cell(w.model, int(w.seed), w.sampler, w.guidance, int(w.draw), int(w.epoch))

    def cell_record(self, wildcards) -> dict:
        """A cell's identity as its record holds it."""
        cell = self.cell(wildcards)
        return {"study": self.name, "dataset": self.names(cell.model)["dataset"]} | asdict(cell)

    def figure_datasets(self, figure: str) -> list[str]:
        """Datasets whose reference scores a figure draws."""
        return sorted({self.names(model)["dataset"] for model, _, _ in self.curves(figure)})

    def appearance(self, figure: str) -> dict:
        """Labels and colours of what a figure shows, in the order of the config.

        Models of other figures are there by name: colours are shared out among all of them.
        """
        shown = {key: {curve[i] for curve in self.curves(figure)} for i, key in enumerate(CURVE)}
        drawn = {model for name in self.config["figures"] for model, _, _ in self.curves(name)}
        models = {n: b for n, b in self.config["models"].items() if n in drawn}
        samplers = {n: b for n, b in self.config["samplers"].items() if n in shown["samplers"]}
        metric = self.figure(figure).get("metric")
        return {
            "models": {n: _look(n, b, n in shown["models"]) for n, b in models.items()},
            "samplers": {n: _look(n, b) for n, b in samplers.items()},
            "metrics": {metric: _look(metric, self.block("metrics", metric))} if metric else {},
        }

    # -- code ------------------------------------------------------------------------------------

    @cache
    def code(
        self, script: str, *, model=None, sampler=None, evaluation=None, figure=None, **blocks
    ) -> str:
        """Fingerprint of the code that a job of a script runs.

        The script's imports, and the components that the job finds by name: of a model, of a
        sampler walking with it, of what a dataset is evaluated with, of a figure's kind, of further
        blocks (section=name).
        """
        named = [
            (section, self.component(section, name)["kind"]) for section, name in blocks.items()
        ]
        if model is not None:
            named += self._model_components(model)
        if sampler is not None:
            options = self.sampler(sampler, model)
            named += [("samplers", options["kind"]), *_named_within(options)]
        if evaluation is not None:
            block = self.evaluation(evaluation)
            named += [("metrics", metric["kind"]) for metric in block["metrics"].values()]
            named += [("extractors", self.component("extractors", block["extractor"])["kind"])]
        if figure is not None:
            named += [("plotting", self.figure(figure)["kind"])]
        return fingerprint(SCRIPTS / f"{script}.py", named)

    def _model_components(self, model: str) -> list[tuple[str, str]]:
        identity = self.identity(model)
        families = {"families": "process", "networks": "network", "schedules": "schedule"}
        named = [
            (family, identity[key]["kind"]) for family, key in families.items() if identity[key]
        ]
        return [*named, *_named_within(identity["process"])]

    def names(self, model: str) -> dict:
        """A model's identity as the config has it: names of blocks."""
        return self.block("models", model)["identity"]

    def block(self, section: str, name: str) -> dict:
        """A named block as the config has it."""
        return self.config[section][name]

    @cached_property
    def wildcards(self) -> dict[str, str]:
        """Regular expressions that wildcards of file names must match."""
        names = {
            "model": "models",
            "sampler": "samplers",
            "dataset": "datasets",
            "figure": "figures",
        }
        found = {
            key: "|".join(self.config.get(section, {})) or "none" for key, section in names.items()
        }
        found["extractor"] = "|".join(self.config.get("extractors", {})) or "none"
        return found | {
            "guidance": "[A-Za-z0-9_]+",
            "seed": r"\d+",
            "draw": r"\d+",
            "epoch": r"\d+",
        }


def canonical(value: object) -> object:
    """The same value with the keys of all mappings sorted."""
    if isinstance(value, dict):
        return {key: canonical(value[key]) for key in sorted(value)}
    return [canonical(v) for v in value] if isinstance(value, list) else value


@cache
def family_offers(family: str) -> str:
    """What a family of models gives to samplers: the name of their first argument."""
    return _constant(family, "OFFERS")


@cache
def family_needs_schedule(family: str) -> bool:
    return _constant(family, "NEEDS_SCHEDULE")


@cache
def family_start(family: str) -> dict:
    """Options that a family reads from a sampler's block to set up the walk: name -> (type,
    default).
    """
    return components.options_of(components.source("families", family), "start")


def _constant(family: str, name: str) -> object:
    for node in components.parse(components.source("families", family)).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == name:
            return ast.literal_eval(node.value)
    raise ValueError(f"families/{family}.py: no constant {name}")


def by_process(block: dict, where: str) -> list[tuple[str, dict]]:
    return [
        (f"{where}.by_process.{name}", part) for name, part in block.get("by_process", {}).items()
    ]


def expanded(given: dict) -> dict:
    """`grid: polynomial` is short for `grid: {kind: polynomial}`."""
    return given | ({"grid": {"kind": given["grid"]}} if isinstance(given.get("grid"), str) else {})


def _nested(family: str, block: dict, where: str) -> dict:
    if "kind" not in block:
        raise ValueError(
            f"{where}.kind: missing; expected one of {', '.join(components.kinds(family))}"
        )
    given = {k: v for k, v in block.items() if k != "kind"}
    return {"kind": block["kind"]} | components.resolve(family, block["kind"], given, where)


def _named_within(options: dict) -> Iterator[tuple[str, str]]:
    """Components that options name: a grid of noise levels, a preconditioning."""
    if "grid" in options:
        yield "sigma_grids", options["grid"]["kind"]
    if "preconditioning" in options:
        yield "preconditioning", options["preconditioning"]


def _look(name: str, block: dict, labelled: bool = True) -> dict:
    label = block.get("label", name) if labelled else name
    return {"label": label} | ({"color": block["color"]} if "color" in block else {})
