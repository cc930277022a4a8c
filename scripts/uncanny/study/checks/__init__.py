"""Check a config for consistency: references that exist, options that fit, figures that can be
drawn.

Every inconsistency is one ValueError that names the key, the value and what was expected.
"""

from itertools import pairwise, product

from uncanny.registry import components
from uncanny.registry.blocks import NESTED, PRECISION, by_process, expanded
from uncanny.samplers import nfe
from uncanny.study import plan
from uncanny.study.checks import claims as checks_claims
from uncanny.study.checks import correctors as checks_correctors
from uncanny.study.checks import data as checks_data
from uncanny.study.checks import experiments as checks_experiments
from uncanny.study.checks import guidances as checks_guidances
from uncanny.study.checks import noise_levels as checks_noise_levels
from uncanny.study.checks import origins as checks_origins
from uncanny.study.checks import shown as checks_shown
from uncanny.study.checks.names import refer
from uncanny.study.plan import claims as plan_claims
from uncanny.study.study import (
    NO_GUIDANCE,
    NOT_OPTIONS,
    Study,
    family_needs_schedule,
    model_interface,
)

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
        _check_figure(study, figure)
    for figure in study.config.get("key_figures", []):
        refer(study, "figures", figure, "key_figures")
    for table in study.config.get("tables", {}):
        _check_table(study, table)
    for claim in study.config.get("claims", {}):
        _check_claim(study, claim)
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


def _check_figure(study: Study, figure: str) -> None:
    block = study.block("figures", figure)
    key_path = f"figures.{figure}"
    metric = {"metric": block["metric"]} if "metric" in block else {}
    components.resolve("figures", block["kind"], metric | block.get("options", {}), key_path)
    _check_sources(study, figure, key_path)
    checks_origins.check_figure(study, figure)
    for number, selection in enumerate(plan.selections(block)):
        _check_selection(study, selection, f"{key_path}.panels[{number}]")
    if "sizes" in plan.figure_sources(study, figure) and not study.config["sample_sizes"]:
        raise ValueError(f"sample_sizes: empty; {key_path} draws metrics against numbers of images")


def _check_sources(study: Study, figure: str, key_path: str) -> None:
    """Check that a figure names what its kind shows: panels, experiments, both, or neither."""
    block, sources = study.block("figures", figure), set(plan.figure_sources(study, figure))
    if "claims" in sources and not study.config["claims"]:
        raise ValueError(f"claims: missing; {key_path} shows the verdicts on them")
    keys = {
        "panels": not sources <= {"experiments", "claims"},
        "experiments": "experiments" in sources,
    }
    wanted = [key for key, is_wanted in keys.items() if is_wanted]
    for key in wanted:
        if key not in block:
            raise ValueError(
                f"{key_path}.{key}: missing; required for figures of kind {block['kind']!r}"
            )
    for key in keys.keys() - wanted:
        if key in block:
            raise ValueError(
                f"{key_path}.{key}: figures of kind {block['kind']!r} take "
                f"{' and '.join(wanted) or 'all claims'}, not {key}"
            )
    for name in block.get("experiments", []):
        refer(study, "experiments", name, f"{key_path}.experiments")


def _check_table(study: Study, table: str) -> None:
    block, key_path = study.block("tables", table), f"tables.{table}"
    checks_origins.check_table(study, block, key_path)
    components.resolve("tables", block["kind"], block.get("options", {}), key_path)
    if block["kind"] == "stochastic_parameters":
        checks_noise_levels.check_churned(study, block, key_path)
    for section in ("models", "samplers", "classifiers", "experiments"):
        for name in block.get(section, []):
            refer(study, section, name, f"{key_path}.{section}")
    for model in block.get("training", []):
        refer(study, "models", model, f"{key_path}.training")
    if block["kind"] == "likelihoods":
        checks_noise_levels.check_likelihoods(study, block, key_path)
    for key in ("sampling", "scores", "sizes"):
        for number, selection in enumerate(block.get(key, [])):
            _check_selection(study, selection, f"{key_path}.{key}[{number}]")
    if block.get("sizes") and not study.config["sample_sizes"]:
        raise ValueError(f"sample_sizes: empty; {key_path} shows metrics of numbers of images")


def _check_claim(study: Study, claim: str) -> None:
    """Check that rules exist, with the selections that they compare. A claim on something that the
    study lacks is no mistake, but untestable.
    """
    for part_path, part in plan_claims.parts(study.block("claims", claim)):
        key_path, (key, selections) = f"claims.{claim}.{part_path}", plan_claims.selected(part)
        options = part.get("options", {})
        components.resolve("claims", part["kind"], options, f"{key_path}.options")
        takes = components.signature("claims", part["kind"]).first
        if key != takes:
            raise ValueError(f"{key_path}: rule {part['kind']!r} compares {takes}, not {key}")
        names = components.constant("claims", part["kind"], "SELECTIONS")
        if names and set(selections) != set(names):
            named = ", ".join(selections)
            raise ValueError(f"{key_path}.{key}: selections {named}; expected {', '.join(names)}")
        if tuple(names) == ("a", "b"):
            _check_pairing(selections, options.get("best"), f"{key_path}.{key}")
        if part_path not in plan_claims.resolved(study, claim)["missing"]:
            for name, selection in selections.items():
                if key == "timings":
                    checks_origins.check_timings(study, selection, f"{key_path}.{key}.{name}")
                if "samplers" in selection:
                    _check_selection(study, selection, f"{key_path}.{key}.{name}")


def _check_pairing(selections: dict, best: str | None, key_path: str) -> None:
    """Selections are paired axis by axis: names in order, or one name with all."""
    for axis in ("models", "samplers", "guidances"):
        a, b = (len(selections[side].get(axis, [NO_GUIDANCE])) for side in "ab")
        if best is None and a != b and 1 not in (a, b):
            raise ValueError(
                f"{key_path}: a has {a} {axis}, b has {b}; expected as many, or one on a side"
            )


def _check_selection(study: Study, selection: dict, key_path: str) -> None:
    """Check that names exist, and that combinations can be sampled."""
    for section in ("models", "samplers", "guidances"):
        for name in selection.get(section, []):
            if (section, name) != ("guidances", NO_GUIDANCE):
                refer(study, section, name, f"{key_path}.{section}")
    checks_origins.check_selection(study, selection, key_path)
    for model, sampler in product(selection["models"], selection["samplers"]):
        _check_pair(study, model, sampler, key_path)
        for guidance in selection.get("guidances", [NO_GUIDANCE]):
            if guidance != NO_GUIDANCE:
                checks_guidances.check_guided(
                    study, guidance, model, sampler, f"{key_path}.guidances"
                )


def _check_pair(study: Study, model: str, sampler: str, key_path: str) -> None:
    if not plan.fits(study, model, sampler):
        takes = components.signature("samplers", study.sampler_kind(sampler, model)).first
        gives = model_interface(study.block("processes", study.names(model)["process"])["kind"])
        raise ValueError(
            f"{key_path}: sampler {sampler!r} takes {takes}, but model {model!r} gives {gives}"
        )
    if study.origin(model) != "samples":
        block = study.sampler(sampler, model)
        if nfe.nfe(block, study.identity(model)["process"]) == 0:
            raise ValueError(
                f"samplers.{sampler}: a predictor and a corrector of none; expected one of them"
            )
        _check_steps(block["kind"], block["init_sampling"], f"samplers.{sampler}")
        checks_noise_levels.check_sampler(study, sampler, model)
        checks_noise_levels.check_variance(study, sampler, model)
        checks_correctors.check(study, sampler, model)


def _check_steps(kind: str, options: dict, key_path: str) -> None:
    """Samplers with a tolerance choose their own steps between the first and the last time."""
    key = next((key for key in ("times", "grid") if key in options), None)
    if key is None:
        return
    value = options["grid"]["kind"] if key == "grid" else options["times"]
    ends = value == "ends"
    if ends != components.takes("samplers", kind, "tol"):
        raise ValueError(
            f"{key_path}.{key}: {value!r} for {kind!r}; expected ends for "
            "samplers with a tolerance, and for no other"
        )
    if ends != (options["num_steps"] is None):
        raise ValueError(
            f"{key_path}.num_steps: {options['num_steps']!r} with {key} {value!r}; "
            f"expected a number, or null with {key} ends"
        )
