"""A study: the extent of its jobs, and the code that they run.

Which jobs there are follows from the figures, tables and claims: `plan`. No torch here: the
Snakefile imports this.
"""

from collections.abc import Iterator
from functools import cache, cached_property
from itertools import product
from pathlib import Path

from uncanny.registry.blocks import IMPORTED, named_within
from uncanny.registry.fingerprint import fingerprint
from uncanny.study.resolved_blocks import NO_GUIDANCE, NO_SCHEDULE, ResolvedBlocks

SCRIPTS = Path(__file__).parents[2]
# Sections whose blocks are named by wildcards: "models" by {model}, and so on.
NAMED = ("models", "samplers", "datasets", "schedules", "extractors", "classifiers")
NAMED += ("figures", "tables", "experiments")
ELSEWHERE = [1]  # default milestones of a model that is not trained here


class Study(ResolvedBlocks):
    """A config that `configuration.validated` and `checks.check` have passed."""

    # -- extent ----------------------------------------------------------------------------------

    def milestones(self, model: str) -> list[int]:
        """Epochs at which a model is sampled and scored, ascending."""
        own = self.config["models"][model].get("milestones")
        trained = self.origin(model) == "trained"
        return own or (self.config["milestones"] if trained else ELSEWHERE)

    def runs(
        self, model: str, seeds: list[int], sampling_seeds: list[int]
    ) -> Iterator[tuple[int, int]]:
        """(training seed, sampling seed) of a model's sets of images: a model that is not trained
        here has one training seed, and imported samples have one sampling seed.
        """
        origin = self.origin(model)
        return product(
            seeds if origin == "trained" else seeds[:1],
            sampling_seeds[:1] if origin == "samples" else sampling_seeds,
        )

    def previous_epoch(self, epoch: int) -> int | None:
        """Epoch of the checkpoint from which training to `epoch` continues: the last multiple of
        `segment_epochs` before it, or None.
        """
        length = self.config["segment_epochs"]
        return (epoch - 1) // length * length or None if epoch > 0 else None

    @property
    def seeds(self) -> list[int]:
        return self.config["seeds"]

    @property
    def sampling_seeds(self) -> list[int]:
        return self.config["sampling_seeds"]

    # -- code ------------------------------------------------------------------------------------

    @cache
    def code(
        self,
        script: str,
        *,
        model=None,
        sampler=None,
        guidance=None,
        evaluation=None,
        kinds=(),
        **blocks,
    ) -> str:
        """Fingerprint of the code that a job of a script runs.

        It covers the script's imports and the components that the job loads by name: of a model,
        its sampler and guidance, of the evaluation of a dataset, of further blocks (section=name)
        and (family, kind) pairs.
        """
        named = [*kinds]
        for section, name in blocks.items():
            if (section, name) == ("schedules", NO_SCHEDULE):
                continue
            named.append((section, self.block(section, name)["kind"]))
            if section in ("processes", "experiments"):
                named += named_within(self.component(section, name))
        if model is not None:
            named += self.model_components(model)
        if sampler is not None:
            named += self.sampler_components(sampler, model)
        if guidance is not None and guidance != NO_GUIDANCE:
            networks = [
                self.block("classifiers", name)["network"] for name in self.guiding(guidance)
            ]
            named += [("networks", self.block("networks", network)["kind"]) for network in networks]
            named += [("guidances", self.guidance(guidance)["kind"]), ("guidances", "prepare")]
        if evaluation is not None:
            block = self.evaluation(evaluation)
            named += [("metrics", metric["kind"]) for metric in block["metrics"].values()]
            named += [("extractors", self.component("extractors", block["extractor"])["kind"])]
        return fingerprint(SCRIPTS / f"{script}.py", named)

    def model_components(self, model: str) -> list[tuple[str, str]]:
        """(family, kind) of the components that a model is made of."""
        identity = self.identity(model)
        families = {"processes": "process", "networks": "network", "schedules": "schedule"}
        families |= {"externals": "external"}
        named = [
            (family, identity[key]["kind"]) for family, key in families.items() if identity.get(key)
        ]
        return [*named, *named_within(identity.get("process", {}))]

    def sampler_components(self, sampler: str, model: str) -> list[tuple[str, str]]:
        """(family, kind) of a model's sampler, and of the components that its options name."""
        block = self.sampler(sampler, model)
        if block["kind"] == IMPORTED:
            return []
        options = block["options"] | block["init_sampling"]
        return [("samplers", block["kind"]), *named_within(options)]

    @cached_property
    def wildcards(self) -> dict[str, str]:
        """Regular expressions that wildcards of file names must match."""
        names = {section.rstrip("s"): "|".join(self.config.get(section, {})) for section in NAMED}
        names["process"] = "|".join(self.config["processes"])
        known = {key: text or "none" for key, text in names.items()}
        known["guidance"] = "|".join([NO_GUIDANCE, *self.config.get("guidances", {})])
        known["schedule"] = "|".join([NO_SCHEDULE, *self.config.get("schedules", {})])
        return known | dict.fromkeys(("seed", "draw", "epoch", "first", "number"), r"\d+")
