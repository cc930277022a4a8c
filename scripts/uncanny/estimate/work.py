"""The jobs that a target takes, as the workflow's rules make them: counted without Snakemake, so
that hundreds of targets cost a second. No torch here.
"""

from collections.abc import Iterable, Mapping
from functools import cache

from uncanny.estimate.job import IMPORTS, PREFIXES, RULES, Job, number
from uncanny.study import plan
from uncanny.study.plan import experiments as plan_experiments
from uncanny.study.plan import inputs as plan_inputs
from uncanny.study.plan import timings as plan_times
from uncanny.study.study import Study

MADE_OF_MODELS = {rule for rule, _ in IMPORTS}


class Work:
    """All jobs of a study, made known as they are asked for by their files."""

    def __init__(self, study: Study):
        self.study = study

    @cache
    def job(self, path: str) -> Job:
        """The job that makes a file below the study's results."""
        prefix = next(prefix for prefix in PREFIXES if path.startswith(prefix))
        rule, rest = RULES[prefix], path.removeprefix(prefix)
        subject = rest.removesuffix("/dataset.json") if rule == "prepare_dataset" else _stem(rest)
        origin = self.study.origin(rest.split("/")[0]) if rule in MADE_OF_MODELS else ""
        if (rule, origin) in IMPORTS:
            rule = IMPORTS[rule, origin]
        elif path.endswith(".complete"):
            rule = "confirm_figure"
        elif path.startswith("tables/claims."):
            rule, subject = "assess_claims", ""
        elif rule == "draw_samples" and len(self._spans(0)) > 1:
            rule = "gather_samples"
        return Job(rule, subject, path, tuple(getattr(self, f"_{rule}")(subject)))

    def targets(self) -> dict[str, list[str]]:
        """The files of every target: figures, tables, claims, and the sums of them."""
        config = self.study.config
        figures = {name: [f"figures/{name}.complete"] for name in config["figures"]}
        tables = {name: [f"tables/{name}.csv"] for name in config["tables"]}
        claims = {"claims": ["tables/claims.csv"]} if config["claims"] else {}
        paper = [path for name in plan.paper_figures(self.study) for path in figures[name]]
        single = figures | tables | claims
        everything = [path for found in single.values() for path in found]
        names = config["experiments"]
        everything += [plan_experiments.table(self.study, name) for name in names]
        return single | {"all_figures": paper, "all": everything}

    def jobs(self, paths: Iterable[str], done=lambda path: False) -> list[Job]:
        """The jobs that files take, each after those that it needs, each once.

        done(path): whether a file is there; what is there takes no job, nor what only it needs.
        """
        found: dict[str, Job] = {}
        waiting = [path for path in reversed(list(paths)) if not done(path)]
        while waiting:
            job = self.job(waiting[-1])
            missing = [p for p in job.needs if self.job(p).name not in found and not done(p)]
            if job.name in found or not missing:
                found.setdefault(job.name, job)
                waiting.pop()
            else:
                waiting += reversed(missing)
        return list(found.values())

    # -- what each rule needs: its input files, as the rules have them ----------------------------

    def _prepare_dataset(self, dataset: str) -> list[str]:
        return []

    def _train_extractor(self, extractor: str) -> list[str]:
        return [_dataset(self.study.component("extractors", extractor)["dataset"])]

    def _train_classifier(self, subject: str) -> list[str]:
        return [_dataset(self.classifier(subject)["dataset"])]

    def _train_model(self, subject: str) -> list[str]:
        model, seed, epoch = subject.split("/")
        previous = self.study.previous_epoch(number(epoch))
        before = [] if previous is None else [f"checkpoints/{model}/{seed}/epoch-{previous}.pt"]
        return [self._data(model), *before]

    def _import_model(self, subject: str) -> list[str]:
        return [self._data(subject.split("/")[0])]

    _import_samples = _import_many_samples = _import_model

    def _export_model(self, subject: str) -> list[str]:
        return [f"checkpoints/{subject.removesuffix('/model_index')}.pt"]

    def _export_samples(self, subject: str) -> list[str]:
        return [f"samples/{subject}.npz"]

    def _draw_samples(self, subject: str) -> list[str]:
        model, seed, sampler, guidance, _, epoch = subject.split("/")[:6]
        needs = [f"checkpoints/{model}/{seed}/{epoch}.pt"]
        needs += self._classifiers(self.study.guiding(guidance), model)
        needs += self._losses(sampler, model, f"{model}/{seed}/{epoch}")
        from_data = self.study.starts_from_data(sampler, model, guidance)
        return [*needs, *([self._data(model)] if from_data else [])]

    _draw_part = _draw_samples

    def _gather_samples(self, subject: str) -> list[str]:
        return [f"parts/{subject}/{first}-{count}.npz" for first, count in self._spans(0)]

    def _gather_many_samples(self, subject: str) -> list[str]:
        more = self._spans(self.study.config["num_images"])
        parts = [f"parts/{subject}/{first}-{count}.npz" for first, count in more]
        return [f"samples/{subject}.npz", *parts]

    def _trace_process(self, subject: str) -> list[str]:
        model, seed, _, epoch = subject.split("/")
        return [f"checkpoints/{model}/{seed}/{epoch}.pt", self._data(model)]

    def _extract_reference(self, subject: str) -> list[str]:
        extractor, images = subject.split("/")
        return [_dataset(images.rpartition("-")[0]), f"extractors/{extractor}.pt"]

    def _score_references(self, dataset: str) -> list[str]:
        return [_dataset(dataset), *self._measure(dataset)]

    def _score_samples(self, subject: str, samples: str = "samples") -> list[str]:
        dataset = self.study.names(subject.split("/")[0])["dataset"]
        return [f"{samples}/{subject}.npz", *self._measure(dataset)]

    def _score_sizes(self, subject: str) -> list[str]:
        return self._score_samples(subject, "sizes/samples")

    def _time_sampling(self, subject: str) -> list[str]:
        model, *_ = subject.split("/")
        names = plan_times.guiding(self.study, model)
        guides = self._classifiers(names, model)
        losses = [f"losses/{subject}.json"] if plan_times.needs_losses(self.study, model) else []
        return [f"checkpoints/{subject}.pt", *guides, *losses]

    def _time_training(self, _: str) -> list[str]:
        return plan.unique(self._data(model) for model in plan_times.trained(self.study))

    def _run_exact(self, experiment: str) -> list[str]:
        return []

    def _measure_losses(self, subject: str) -> list[str]:
        model, seed, _ = subject.split("/")
        best = plan_experiments.best_epoch(self.study, model)
        paths = [f"checkpoints/{subject}.pt", f"checkpoints/{model}/{seed}/epoch-{best}.pt"]
        return [*plan.unique(paths), self._data(model)]

    def _compare_samplers(self, subject: str) -> list[str]:
        experiment, _, checkpoint = subject.partition("/")
        model = checkpoint.partition("/")[0]
        derives = plan_experiments.derives(self.study, experiment, model)
        losses = [f"losses/{checkpoint}.json"] if derives else []
        dataset = self.study.names(model)["dataset"]
        return [f"checkpoints/{checkpoint}.pt", *losses, *self._measure(dataset)]

    def _run_trained(self, experiment: str) -> list[str]:
        compared = plan_experiments.compared(self.study, experiment)
        return [*compared, *plan_experiments.losses(self.study, experiment)]

    def _plot_figure(self, figure: str) -> list[str]:
        return _listed(plan_inputs.of_figure(self.study, figure))

    def _confirm_figure(self, figure: str) -> list[str]:
        return [f"figures/{figure}.csv"]

    def _make_table(self, table: str) -> list[str]:
        return _listed(plan_inputs.of_table(self.study, table))

    def _pack_archive(self, _: str) -> list[str]:
        return plan_inputs.of_all(self.study)

    def _assess_claims(self, _: str) -> list[str]:
        return _listed(plan_inputs.of_claims(self.study))

    # -- pieces of the above ----------------------------------------------------------------------

    def classifier(self, subject: str) -> dict:
        """What CLASSIFIER/DATASET-PROCESS-SCHEDULE names."""
        name, made_for = subject.split("/")
        dataset, process, schedule = made_for.split("-")
        return self.study.classifier(name, dataset, process, schedule)

    def _losses(self, sampler: str, model: str, checkpoint: str) -> list[str]:
        needed = self.study.needs_losses(sampler, model)
        return [f"losses/{checkpoint}.json"] if needed else []

    def _classifiers(self, names: list[str], model: str) -> list[str]:
        return [plan.classifier_file(self.study, "classifiers", name, model) for name in names]

    def _data(self, model: str) -> str:
        return _dataset(self.study.names(model)["dataset"])

    def _measure(self, dataset: str) -> list[str]:
        """Extractor and reference features that scores of a dataset need."""
        block = self.study.evaluation(dataset)
        features = f"features/{block['extractor']}/{dataset}-{block['reference']}.npz"
        return [f"extractors/{block['extractor']}.pt", features]

    def _spans(self, first: int) -> list[tuple[int, int]]:
        """Parts of a cell's images, or of those beyond up to the largest sample size."""
        config = self.study.config
        end = max(config["sample_sizes"], default=0) if first else config["num_images"]
        return plan.spans(self.study, first, end)


def _listed(kinds: Mapping[str, list[str]]) -> list[str]:
    return [path for paths in kinds.values() for path in paths]


def _dataset(name: str) -> str:
    return f"datasets/{name}/dataset.json"


def _stem(path: str) -> str:
    return path.rpartition(".")[0]
