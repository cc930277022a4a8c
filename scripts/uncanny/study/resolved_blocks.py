"""The blocks of a study's config resolved: complete parameters of everything that a block names.

No torch here: the Snakefile imports this. Everything that a job depends on is sorted, so that the
order of keys in a config means nothing.
"""

from functools import cache

from uncanny.registry import components
from uncanny.registry.blocks import IMPORTED, canonical, completed, expanded
from uncanny.registry.blocks import sampler as sampler_block

APPEARANCE = {"label", "color"}  # keys that only figures and tables see
# Keys of a sampler's block that are no options of it
NOT_OPTIONS = APPEARANCE | {"kind", "by_process", "series"}
NO_GUIDANCE = NO_SCHEDULE = "none"
# Where a model comes from: trained here, imported weights, or imported samples.
ORIGINS = ("trained", "external", "samples")
CLASSIFIER_OPTIONS = ("classifier", "norm_of")  # options of a guidance that name a classifier

# What the plan reads of an experiment on trained checkpoints: name -> (type, default; None: the
# study's own).
EXTENT = {
    "models": (list[str], components.REQUIRED),
    "samplers": (list[str], components.REQUIRED),
    "metric": (str, components.REQUIRED),
    "seeds": (list[int] | None, None),
    "sampling_seeds": (list[int] | None, None),
    "num_images": (int | None, None),
}


class ResolvedBlocks:
    """Named blocks with their complete parameters, of a config that `configuration.validated` has
    passed.
    """

    def __init__(self, config: dict):
        self.config = config
        self.name = config["study"]

    def names(self, model: str) -> dict:
        """Names of the blocks in a model's `identity`."""
        return self.block("models", model)["identity"]

    def block(self, section: str, name: str) -> dict:
        """A named block, unchanged."""
        return self.config[section][name]

    @cache
    def component(self, section: str, name: str) -> dict:
        """Kind and complete options of a named block, without label and colour."""
        block = self.block(section, name)
        key_path = f"{section}.{name}"
        options = {k: v for k, v in block.items() if k != "kind" and k not in APPEARANCE}
        more = {"dataset": (str, components.REQUIRED)} if section == "extractors" else {}
        if section == "experiments" and block["kind"] in components.kinds(section):
            first = components.signature(section, block["kind"]).first
            more = EXTENT if first == "checkpoints" else {}
        complete = components.resolve(
            section, block["kind"], expanded(options), key_path, more=more
        )
        usual = components.constant(section, block["kind"], "LEFT_OUT", None) or {}
        complete = {k: v for k, v in complete.items() if k not in usual or v != usual[k]}
        return {"kind": block["kind"]} | completed(complete, key_path)

    def source(self, section: str, name: str) -> str | None:
        """Path of the external files that a block names; None where it names none."""
        block = self.component(section, name)
        option = components.constant(section, block["kind"], "SOURCE", None)
        return block[option] if option else None

    @cache
    def identity(self, model: str) -> dict:
        """Everything that determines a model's weights but the seed, with names replaced by the
        blocks that they refer to.
        """
        block, origin = self.names(model), self.origin(model)
        if origin == "samples":
            return {"dataset": block["dataset"], "samples": self.config["models"][model]["samples"]}
        schedule, training = block.get("schedule"), block.get("training")
        identity = {
            "dataset": block["dataset"],
            "process": self.component("processes", block["process"]),
            "schedule": self.component("schedules", schedule) if schedule else None,
            "network": self.component("networks", block["network"]),
            "training": self._recipe(training, block) if training else None,
            "conditional": block.get("conditional", False),
        }
        return identity | ({"external": self.external(model)} if origin == "external" else {})

    def precision(self, what: str) -> str:
        """Precision of network evaluations in `training` or in `sampling`, unless a block has its
        own.
        """
        return self.config.get("precision", {}).get(what, "fp32")

    def precisions(self) -> set[str]:
        """All precisions in which networks are evaluated."""
        asked = set()
        for section, what in (("training", "training"), ("samplers", "sampling")):
            for block in self.config[section].values():
                own = block.get("precision", self.precision(what))
                parts = (block, *block.get("by_process", {}).values())
                asked |= {part.get("precision", own) for part in parts}
        return asked

    def _recipe(self, name: str, names: dict) -> dict:
        """What a training recipe adds to the identity of a model of some names: not the number of
        GPUs, which changes nothing but rounding, as the kind of GPU does.
        """
        recipe = {"precision": self.precision("training")} | self.block("training", name)
        recipe.pop("gpus", None)
        if recipe.get("shuffle") == "images":  # as without the key
            del recipe["shuffle"]
        if not (names.get("conditional") and recipe.get("label_dropout")):
            recipe.pop("label_dropout", None)
        return canonical(recipe)

    def gpus(self, model: str) -> int:
        """GPUs that one training job of a model asks for."""
        training = self.names(model).get("training")
        return self.block("training", training).get("gpus", 1) if training else 1

    def derives(self, model: str) -> bool:
        """Whether an option of a model's process follows from the dataset when training begins."""
        process = self.identity(model)["process"]
        names = components.constant("processes", process["kind"], "DERIVED", ())
        return any(process.get(name, 0) in (None, "data") for name in names)

    def origin(self, model: str) -> str:
        """One of ORIGINS."""
        block = self.config["models"][model]
        return next((origin for origin in ORIGINS[1:] if origin in block), ORIGINS[0])

    def models_of(self, *origins: str) -> list[str]:
        """Names of the models of these ORIGINS."""
        return [model for model in self.config["models"] if self.origin(model) in origins]

    def external(self, model: str) -> dict:
        """Format and source of a model's imported weights."""
        block, key_path = self.config["models"][model]["external"], f"models.{model}.external"
        folder = components.LIBRARY / "interop/formats"
        known = [path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")]
        if block["kind"] not in known:
            near = components.near(block["kind"], known)
            raise ValueError(f"{key_path}.kind: {block['kind']!r} reads no weights{near}")
        return canonical(block)

    @cache
    def sampler(self, sampler: str, model: str) -> dict:
        """Complete block of a sampler for a model, as `registry.blocks.sampler` describes it."""
        if self.origin(model) == "samples":
            return {"kind": IMPORTED}
        block = self.block("samplers", sampler)
        process = self.names(model)["process"]
        special = block.get("by_process", {}).get(process, {})
        own = {k: v for k, v in (block | special).items() if k not in NOT_OPTIONS}
        options = {"precision": self.precision("sampling")} | own
        key_path = f"samplers.{sampler}" + (f".by_process.{process}" if special else "")
        family = self.block("processes", process)["kind"]
        return sampler_block(self.sampler_kind(sampler, model), family, options, key_path)

    def sampler_kind(self, sampler: str, model: str) -> str:
        """Kind of a sampler for a model: `by_process` may replace it."""
        if self.origin(model) == "samples":
            return IMPORTED
        block = self.block("samplers", sampler)
        special = block.get("by_process", {}).get(self.names(model)["process"], {})
        return special.get("kind", block["kind"])

    def needs_losses(self, sampler: str, model: str) -> bool:
        """Whether a sampler's noise-level grid is derived from the model's own losses."""
        grid = self.sampler(sampler, model).get("init_sampling", {}).get("grid")
        return grid is not None and components.takes("sigma_grids", grid["kind"], "losses")

    @cache
    def guidance(self, name: str) -> dict | None:
        """Complete options of a guidance; None where there is none."""
        return None if name == NO_GUIDANCE else self.component("guidances", name)

    def guiding(self, guidance: str) -> list[str]:
        """Names of the classifiers that a guidance uses, each once."""
        options = self.guidance(guidance) or {}
        return list(dict.fromkeys(options[key] for key in CLASSIFIER_OPTIONS if key in options))

    def guidance_argument(self, guidance: str) -> str | None:
        """Name of the samplers' argument through which a guidance acts; None: the model alone."""
        kind = self.guidance(guidance)["kind"]
        return components.constant("guidances", kind, "ARGUMENTS").get(kind, "gradient")

    def starts_from_data(self, sampler: str, model: str, guidance: str) -> bool:
        """Whether sampling needs images of the dataset: as initial states, or to inpaint."""
        masked = "mask" in (self.guidance(guidance) or {})
        options = self.sampler(sampler, model).get("init_sampling", {})
        return masked or options.get("init") == "marginal"

    @cache
    def classifier(self, name: str, dataset: str, process: str, schedule: str) -> dict:
        """Everything that determines the weights of a noisy classifier: it sees the images as the
        model that it guides does. schedule: NO_SCHEDULE for processes that have none.
        """
        block = self.block("classifiers", name)
        training = {"precision": self.precision("training")} | block
        left_out = APPEARANCE | {"network"}
        # Left out where it changes nothing
        left_out |= {"precision"} if training["precision"] == "fp32" else set()
        training = {k: v for k, v in training.items() if k not in left_out}
        return {
            "dataset": dataset,
            "process": self.component("processes", process),
            "schedule": (
                None if schedule == NO_SCHEDULE else self.component("schedules", schedule)
            ),
            "network": self.component("networks", block["network"]),
            "training": canonical(training),
        }

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

    def evaluation_of(self, model: str) -> dict:
        """How the samples of a model are measured. For imported samples, metrics by label are left
        out: which classes they were to show is not known.
        """
        evaluation = self.evaluation(self.names(model)["dataset"])
        if self.origin(model) != "samples":
            return evaluation
        metrics = evaluation["metrics"].items()
        kept = {name: block for name, block in metrics if not by_label(block["kind"])}
        return evaluation | {"metrics": kept}

    def extracts_apart(self, dataset: str) -> bool:
        """Whether features of samples are extracted by jobs of their own, on a GPU: those of large
        extractors. Jobs that score need none.
        """
        block = self.component("extractors", self.evaluation(dataset)["extractor"])
        return components.constant("extractors", block["kind"], "LARGE", False)

    def evaluation_of_sizes(self, dataset: str, model: str | None = None) -> dict:
        """How subsets of growing size are measured: `evaluation` of the metrics under `sizes`,
        and `least`, the fewest images of each. model: whose samples they are, where that is known.
        """
        evaluation = self.evaluation(dataset) if model is None else self.evaluation_of(model)
        asked = self.block("evaluation", dataset).get("sizes", {})
        names = sorted(set(self.measured(dataset, True)) & evaluation["metrics"].keys())
        least = {name: asked.get(name, 1) for name in names}
        return evaluation | {
            "metrics": {name: evaluation["metrics"][name] for name in least},
            "least": least,
        }

    def num_images(self, dataset: str) -> int:
        """Images per cell of a dataset's models."""
        return self.block("evaluation", dataset).get("num_images", self.config["num_images"])

    def measured(self, dataset: str, of_sizes: bool = False) -> list[str]:
        """Names of the metrics of a dataset's cells, or of their subsets of growing size."""
        block = self.block("evaluation", dataset)
        return list(block.get("sizes", block["metrics"]) if of_sizes else block["metrics"])

    def neighbours(self, dataset: str) -> int:
        """Largest number of neighbours of a reference image that the metrics of a dataset use."""
        asked = 0
        for block in self.evaluation(dataset)["metrics"].values():
            counts = components.constant("metrics", block["kind"], "AMONG_REFERENCES")
            count = counts.get(block["kind"], 0)  # or the option with it
            asked = max(asked, block.get(count, count))
        return asked

    def asks_for(self, dataset: str, what: str) -> bool:
        """Whether a metric of a dataset is in a constant of its module, as "KERNELS" are metrics
        that need the mean kernel of two reference images.
        """
        kinds = {block["kind"] for block in self.evaluation(dataset)["metrics"].values()}
        return any(kind in components.constant("metrics", kind, what) for kind in kinds)


def by_label(metric: str) -> bool:
    """Whether a kind of metric depends on the classes that images were to show."""
    return metric in components.constant("metrics", metric, "BY_LABEL")


@cache
def model_interface(family: str) -> str:
    """Interface of a family of models: the name of its samplers' first argument."""
    return components.constant("processes", family, "MODEL_INTERFACE")


@cache
def family_needs_schedule(family: str) -> bool:
    return components.constant("processes", family, "NEEDS_SCHEDULE")
