"""Check a config for consistency: references that exist, options that fit, figures that can be
drawn.

Every inconsistency is one ValueError that names the key, the value and what was expected.
"""

from itertools import pairwise

from uncanny.registry import components
from uncanny.registry.blocks import NESTED, PRECISION, by_process, expanded
from uncanny.samplers import nfe
from uncanny.study.checks import claims as checks_claims
from uncanny.study.checks import data as checks_data
from uncanny.study.checks import experiments as checks_experiments
from uncanny.study.checks import guidances as checks_guidances
from uncanny.study.checks import noise_levels as checks_noise_levels
from uncanny.study.checks import origins as checks_origins
from uncanny.study.checks import shown as checks_shown
from uncanny.study.checks.names import refer
from uncanny.study.resolved_blocks import NOT_OPTIONS, family_needs_schedule
from uncanny.study.study import Study

SECTIONS = ("datasets", "extractors", "schedules", "processes", "networks", "metrics")
SECTIONS += ("experiments",)


def check(study: Study) -> None:
    """Check a whole study; the first inconsistency raises ValueError."""
    for section in (*SECTIONS, "guidances"):
        for name in study.config.get(section, {}):
            options = study.component(section, name)
            if section == "extractors":
                refer(study, "datasets", options["dataset"], f"extractors.{name}.dataset")
            if section == "processes":
                checks_noise_levels.check_process(study, name)
    for name, block in study.config.get("classifiers", {}).items():
        _check_classifier(study, name, block)
    for name in study.config.get("guidances", {}):
        checks_guidances.check(study, name)
    _check_ascending(study.config.get("sample_sizes", []), "sample_sizes")
    for model in study.config["models"]:
        _check_model(study, model)
    for sampler in study.config["samplers"]:
        _check_sampler(study, sampler)
    for dataset, block in study.config["evaluation"].items():
        refer(study, "datasets", dataset, "evaluation")
        refer(study, "extractors", block["extractor"], f"evaluation.{dataset}.extractor")
        for metric in block["metrics"]:
            refer(study, "metrics", metric, f"evaluation.{dataset}.metrics")
        for metric in block.get("sizes", {}):
            checks_shown.check_measured(study, dataset, metric, f"evaluation.{dataset}.sizes")
    for section, what in (("training", "training"), ("samplers", "sampling")):
        if what not in study.config.get("precision", {}):
            _check_precision(study, section, what)
    _check_gpus(study)
    checks_experiments.check(study)
    for figure in study.config["figures"]:
        checks_shown.check_figure(study, figure)
    for figure in study.config.get("key_figures", []):
        refer(study, "figures", figure, "key_figures")
    for table in study.config.get("tables", {}):
        checks_shown.check_table(study, table)
    for claim in study.config.get("claims", {}):
        checks_claims.check(study, claim)
    checks_shown.check(study)
    checks_data.check(study)


def _check_precision(study: Study, section: str, what: str) -> None:
    """One precision for all blocks, since their results and times are compared; where the study
    states one, a block that has another is an exception on purpose.
    """
    precisions = {}
    for name, block in study.config[section].items():
        for options in (block, *block.get("by_process", {}).values()):
            precisions[options.get("precision", block.get("precision", "fp32"))] = name
    if len(precisions) > 1:
        (one, first), (other, second), *_ = sorted(precisions.items())
        raise ValueError(
            f"{section}.{first}.precision: {one}, but {section}.{second} has {other}; expected one "
            "precision in a study, so that no comparison mixes them, or precision."
            f"{what}, from which a block may differ"
        )


def _check_gpus(study: Study) -> None:
    """Equal shares of a batch, and GPUs that may be used."""
    for name, block in study.config["training"].items():
        gpus, size = block.get("gpus", 1), block["batch_size"]
        if size % gpus:
            raise ValueError(
                f"training.{name}.gpus: {gpus}; expected a divisor of batch_size {size}, of which "
                "each GPU computes an equal share"
            )
        if gpus > 1 and study.config["device"] == "cpu":
            raise ValueError(
                f"training.{name}.gpus: {gpus}, but device: cpu; expected device: auto, or 1 GPU"
            )


def _check_model(study: Study, model: str) -> None:
    block = study.names(model)
    checks_origins.check_model(study, model)
    for key, section in checks_origins.SECTIONS.items():
        if key in block:
            refer(study, section, block[key], f"models.{model}.identity.{key}")
    refer(study, "evaluation", block["dataset"], f"models.{model}.identity.dataset")
    if study.origin(model) == "samples":
        return
    discrete = family_needs_schedule(study.block("processes", block["process"])["kind"])
    if discrete != ("schedule" in block):
        verb = "needs a" if discrete else "takes no"
        raise ValueError(
            f"models.{model}.identity.schedule: process {block['process']!r} {verb} schedule"
        )
    _check_milestones(study, model)
    study.identity(model)


def _check_classifier(study: Study, name: str, block: dict) -> None:
    refer(study, "networks", block["network"], f"classifiers.{name}.network")
    network = study.component("networks", block["network"])
    if block["epochs"] == 0 and network.get("pool") == "adaptive":
        raise ValueError(
            f"classifiers.{name}.network: {block['network']!r} has pool adaptive, whose gradient "
            "is exactly 0 before training; expected pool attention where epochs is 0"
        )


def _check_sampler(study: Study, sampler: str) -> None:
    """Names and types of a sampler's options, whether a figure uses it or not."""
    block = study.block("samplers", sampler)
    key_path = f"samplers.{sampler}"
    for process in block.get("by_process", {}):
        refer(study, "processes", process, f"{key_path}.by_process")
    for part_path, part in ((key_path, block), *by_process(block, key_path)):
        kind = part.get("kind", block["kind"])
        components.check("samplers", kind, {}, key_path)
        nfe.formula(kind)
        families = {components.sampled_as(f, kind) for f in components.kinds("processes")} - {None}
        own = {k: v for k, v in part.items() if k not in NOT_OPTIONS}
        options = expanded(own)
        more = PRECISION | {k: v for f in families for k, v in components.init_options(f).items()}
        components.check("samplers", kind, options, part_path, more=more)
        for key in options.keys() & NESTED.keys():
            if isinstance(options[key], dict) and "kind" in options[key]:
                inner = dict(options[key])
                components.check(NESTED[key], inner.pop("kind"), inner, f"{part_path}.{key}")


def _check_milestones(study: Study, model: str) -> None:
    trained = study.origin(model) == "trained"
    if trained and not (
        study.config["models"][model].get("milestones") or study.config.get("milestones")
    ):
        raise ValueError(
            f"models.{model}.milestones: missing, and the study has none; expected epochs"
        )
    own = "milestones" in study.config["models"][model]
    _check_ascending(study.milestones(model), f"models.{model}.milestones" if own else "milestones")


def _check_ascending(numbers: list[int], key_path: str) -> None:
    for before, after in pairwise(numbers):
        if after < before:
            raise ValueError(
                f"{key_path}: {after} stands after a larger number in {numbers}; "
                "expected ascending ones"
            )
