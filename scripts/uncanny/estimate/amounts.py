"""How much work a job is, in units whose cost can be measured or stated."""

from dataclasses import dataclass

from uncanny.estimate import costs
from uncanny.estimate.facts import Facts, text
from uncanny.estimate.job import Job
from uncanny.evaluation.timing import UPDATES_PER_BLOCK
from uncanny.study import plan
from uncanny.study.plan import experiments as plan_experiments
from uncanny.study.plan import timings as plan_times
from uncanny.study.study import NO_GUIDANCE
from uncanny.training.loop import steps_until

REPORTED = 2560  # gradients in a classifier's report
# Seconds on a core of what is neither training nor walking: of a job, and of one thing it handles.
EXACT = 7.0  # seconds of an experiment without networks
TRAINED = 3.0  # of putting together what one on trained models has measured
DRAWING = {"plot_figure": (1.0, 2e-3), "make_table": (0.3, 1e-3), "assess_claims": (3.0, 5e-3)}
CONFIRMING = 0.05
PREPARING = {"images": 8e-3}  # of an image that has to be decoded
COPYING = 5e-5  # of an image that is read and written


@dataclass(frozen=True)
class Part:
    """An amount of one kind of work. key: from the kind to all that its cost depends on.

    each: stated seconds of one unit.
    """

    key: tuple
    amount: float
    each: float


class Amounts:
    """The parts of every job of a study on a device."""

    def __init__(self, facts: Facts, device: costs.Device):
        self.facts, self.study, self.device = facts, facts.study, device

    def parts(self, job: Job) -> list[Part]:
        """The job's own work, which its records time, first."""
        return getattr(self, f"_{job.rule}")(job)

    # -- the jobs of each rule --------------------------------------------------------------------

    def _train_model(self, job: Job) -> list[Part]:
        return [self._update(job.parts[0], self.facts.updates(job)), self._rest(job)]

    def _import_model(self, job: Job) -> list[Part]:
        return [self._rest(job)]

    _export_model = _export_samples = _pack_archive = _import_model

    def _time_training(self, job: Job) -> list[Part]:
        count = (self.study.config["timing"]["blocks"] + 1) * UPDATES_PER_BLOCK
        updates = [self._update(model, count) for model in plan_times.trained(self.study)]
        return [*updates, self._rest(job)]

    def _update(self, model: str, count: int) -> Part:
        identity = self.study.identity(model)
        batch = identity["training"]["batch_size"]
        each = costs.update(self.facts.size(model), batch, self.device)
        return Part(("update", self.facts.network(model), batch), count, each)

    def _train_classifier(self, job: Job) -> list[Part]:
        identity, size = self.facts.work.classifier(job.subject), self.facts.classifier(job.subject)
        found, options = self.facts.data(identity["dataset"]), identity["training"]
        batch = options["batch_size"]
        count = steps_until(options["epochs"], found.train, batch)
        network = text(identity["network"]), found.shape
        key = ("classifier update", network, batch)
        report = 10 * found.test * costs.evaluation(size, 256, self.device)
        report += REPORTED * costs.gradient(size, 256, self.device)
        rest = Part(("report", network), 1, self.device.rest + report)
        return [Part(key, count, costs.update(size, batch, self.device)), rest]

    def _draw_samples(self, job: Job) -> list[Part]:
        cell, count = job.cell, self.facts.images(job)
        return [self._walk(cell.model, cell.sampler, cell.guidance, count, count), self._rest(job)]

    _draw_part = _draw_samples

    def _time_sampling(self, job: Job) -> list[Part]:
        model, *_ = job.parts
        timing, most = self.study.config["timing"], self.study.config["num_images"]
        count = costs.batch_of(timing.get("num_images", most), self.facts.data_of(model).values)
        total = (timing["batches"] + 1) * count
        walks = plan_times.walks(self.study, model)
        return [*(self._walk(model, *walk, total, count) for walk in walks), self._rest(job)]

    def _trace_process(self, job: Job) -> list[Part]:
        model, _, sampler, _ = job.parts
        part = self._walk(model, sampler, NO_GUIDANCE, 1, 1)
        return [Part(("trace_process", model), part.amount, part.each), self._rest(job)]

    def _walk(self, model: str, sampler: str, guidance: str, count: int, at_once: int) -> Part:
        """Evaluations of a walk, each with the gradients that guidance takes."""
        batch = costs.batch_of(at_once, self.facts.data_of(model).values)
        each = costs.evaluation(self.facts.size(model), batch, self.device)
        asked = []
        for name in self.study.guiding(guidance):
            file = plan.classifier_file(self.study, "classifiers", name, model)
            stem = file.removeprefix("classifiers/").removesuffix(".pt")
            each += costs.gradient(self.facts.classifier(stem), batch, self.device)
            asked.append(text(self.facts.work.classifier(stem)["network"]))
        kind = self.study.sampler_kind(sampler, model)
        key = ("evaluation", self.facts.network(model), tuple(asked), kind)
        return Part(key, count * self.facts.nfe(sampler, model), each)

    def _gather_samples(self, job: Job) -> list[Part]:
        return [Part((job.rule,), self.study.config["num_images"], COPYING), self._rest(job)]

    def _gather_many_samples(self, job: Job) -> list[Part]:
        return [Part((job.rule,), max(self.study.config["sample_sizes"]), COPYING), self._rest(job)]

    _import_samples, _import_many_samples = _gather_samples, _gather_many_samples

    def _prepare_dataset(self, job: Job) -> list[Part]:
        found = self.facts.data(job.subject)
        kind = self.study.block("datasets", job.subject)["kind"]
        each = PREPARING.get(kind, COPYING)
        return [Part((job.rule, kind), found.train + found.test, each), self._rest(job, 1.0)]

    def _train_extractor(self, job: Job) -> list[Part]:
        block = self.study.component("extractors", job.subject)
        found, size = self.facts.data(block["dataset"]), self.facts.extractor(job.subject)[0]
        # With its images a batch carries half as many of noise; to tell turns, four and as many.
        shown = {"classifier": 1.5, "rotation": 5}.get(block["kind"], 0)
        batch = block.get("batch_size", 1)
        count = block.get("epochs", 0) * (found.train // batch)
        report = (found.train + 3 * found.test) * costs.evaluation(size, 256, self.device)
        total = count * costs.update(size, batch * shown, self.device) + report
        return [Part((job.rule, job.subject), 1, total + self.device.rest)]

    def _extract_reference(self, job: Job) -> list[Part]:
        extractor, images = job.parts
        dataset, _, split = images.rpartition("-")
        size, (width, _) = self.facts.extractor(extractor)
        count = getattr(self.facts.data(dataset), split)
        each = costs.evaluation(size, 256, self.device)
        if self.study.neighbours(dataset):
            each += costs.neighbours(count, width) / costs.CORE
        return [Part((job.rule, extractor, dataset), count, each), self._rest(job)]

    def _score_references(self, job: Job) -> list[Part]:
        count, names = self.study.config["num_images"], self.study.measured(job.subject)
        each = self._score(job.subject, count, names)
        return [Part((job.rule, job.subject), 4, each), self._rest(job)]

    def _score_samples(self, job: Job) -> list[Part]:
        dataset, count = self._measured(job), self.study.config["num_images"]
        total = self._score(dataset, count, self.study.measured(dataset))
        return [Part((job.rule, dataset, count), 1, total), self._rest(job)]

    def _score_sizes(self, job: Job) -> list[Part]:
        dataset, sizes = self._measured(job), tuple(self.study.config["sample_sizes"])
        least = self.study.evaluation_of_sizes(dataset)["least"]
        asked = {n: [name for name in least if n >= least[name]] for n in sizes}
        total = sum(self._score(dataset, n, asked[n], extract=n == max(sizes)) for n in sizes)
        return [Part((job.rule, dataset, sizes), 1, total), self._rest(job)]

    def _score(self, dataset: str, n: int, metrics: list[str], extract: bool = True) -> float:
        """Seconds of metrics of n images, and of their features."""
        evaluation = self.study.evaluation(dataset)
        size, (width, _) = self.facts.extractor(evaluation["extractor"])
        m = getattr(self.facts.data(dataset), evaluation["reference"])
        counted = (
            costs.metric_operations(options["kind"], options, n, m, width)
            for options in map(evaluation["metrics"].get, metrics)
        )
        features = n * costs.evaluation(size, 256, self.device) if extract else 0
        return features + sum(counted) / costs.CORE + 0.05 * len(metrics)

    def _plot_figure(self, job: Job) -> list[Part]:
        return self._drawing(job, self.study.block("figures", job.subject)["kind"])

    def _run_exact(self, job: Job) -> list[Part]:
        return [Part((job.rule, job.subject), 1, EXACT)]

    def _measure_losses(self, job: Job) -> list[Part]:
        """Two models at each noise level."""
        model, options = job.parts[0], self.study.config["losses"]
        found = self.facts.data_of(model)
        count = min(options["items"], getattr(found, options["split"]))
        batch = costs.batch_of(count, found.values)
        each = costs.evaluation(self.facts.size(model), batch, self.device)
        key = (job.rule, self.facts.network(model))
        return [Part(key, 2 * count * options["levels"], each), self._rest(job)]

    def _compare_samplers(self, job: Job) -> list[Part]:
        """Walks with every sampler and draw, and one metric of each."""
        name, model = job.parts[:2]
        wanted = plan_experiments.extent(self.study, name)
        dataset = self.study.names(model)["dataset"]
        count, draws = wanted["num_images"], len(wanted["sampling_seeds"])
        walks = [self._walk(model, s, NO_GUIDANCE, count, count) for s in wanted["samplers"]]
        score = self._score(dataset, count, [wanted["metric"]])
        total = draws * sum(part.amount * part.each + score for part in walks)
        return [Part((job.rule, name, model), 1, total), self._rest(job)]

    def _run_trained(self, job: Job) -> list[Part]:
        return [Part((job.rule, job.subject), 1, TRAINED + 2e-3 * len(job.needs))]

    def _make_table(self, job: Job) -> list[Part]:
        return self._drawing(job, self.study.block("tables", job.subject)["kind"])

    def _assess_claims(self, job: Job) -> list[Part]:
        return self._drawing(job, "claims")

    def _drawing(self, job: Job, kind: str) -> list[Part]:
        alone, each = DRAWING[job.rule]
        return [Part((job.rule, kind, job.subject), 1, alone + each * len(job.needs))]

    def _confirm_figure(self, job: Job) -> list[Part]:
        return [Part((job.rule,), 1, CONFIRMING)]

    # -- pieces of the above ----------------------------------------------------------------------

    def _rest(self, job: Job, seconds: float | None = None) -> Part:
        """What a job does beside its own work: reading, writing, waiting for the device."""
        default = self.device.rest if job.on_device else costs.PROCESSOR.rest
        return Part(("rest", job.rule), 1, default if seconds is None else seconds)

    def _measured(self, job: Job) -> str:
        return self.study.names(job.cell.model)["dataset"]
