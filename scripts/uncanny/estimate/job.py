"""One job of the workflow, named as its log and its benchmark are. No torch here."""

from dataclasses import dataclass

from uncanny.study.plan import Cell

# Where a rule's files lie below the study's results; the longest prefix that fits says the rule.
RULES = {
    "datasets/": "prepare_dataset",
    "extractors/": "train_extractor",
    "classifiers/": "train_classifier",
    "checkpoints/": "train_model",
    "diffusers/": "export_model",
    "samples/": "draw_samples",
    "exported/": "export_samples",
    "parts/": "draw_part",
    "sizes/samples/": "gather_many_samples",
    "traces/": "trace_process",
    "features/": "extract_reference",
    "scores/": "score_samples",
    "scores/references/": "score_references",
    "sizes/scores/": "score_sizes",
    "timings/sampling/": "time_sampling",
    "timings/training": "time_training",
    "archive.": "pack_archive",
    "exact/": "run_exact",
    "losses/": "measure_losses",
    "compared/": "compare_samplers",
    "trained/": "run_trained",
    "figures/": "plot_figure",
    "tables/": "make_table",
}
# Rules whose jobs run on a processor; all others ask for `gpu=1`.
ON_PROCESSOR = {"prepare_dataset", "gather_samples", "gather_many_samples", "plot_figure"}
ON_PROCESSOR |= {
    "pack_archive",
    "import_model",
    "export_model",
    "import_samples",
    "import_many_samples",
}
ON_PROCESSOR |= {
    "export_samples",
    "confirm_figure",
    "make_table",
    "assess_claims",
    "run_exact",
    "run_trained",
}
# What takes the place of a rule for models that are not trained, or not sampled, here.
IMPORTS = {("train_model", "external"): "import_model"}
IMPORTS |= {("draw_samples", "samples"): "import_samples"}
IMPORTS |= {("gather_many_samples", "samples"): "import_many_samples"}
PREFIXES = sorted(RULES, key=len, reverse=True)


@dataclass(frozen=True)
class Job:
    """One job: its rule, what it is about, its main file below the study's results, and the files
    that it needs.

    subject: the file's path without folder and suffix; rule/subject names log and benchmark.
    """

    rule: str
    subject: str
    output: str
    needs: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.rule}/{self.subject}" if self.subject else self.rule

    @property
    def on_device(self) -> bool:
        """Whether it asks for an accelerator."""
        return self.rule not in ON_PROCESSOR

    @property
    def parts(self) -> list[str]:
        return self.subject.split("/")

    @property
    def cell(self) -> Cell:
        """The cell that a job of samples or scores is about."""
        model, seed, sampler, guidance, draw, epoch = self.parts[:6]
        return Cell(model, number(seed), sampler, guidance, number(draw), number(epoch))

    @property
    def span(self) -> tuple[int, int]:
        """(first, count) of the images of a job of rule draw_part."""
        first, count = self.parts[-1].split("-")
        return int(first), int(count)


def number(text: str) -> int:
    """The number of seed-3, draw-3, epoch-3."""
    return int(text.rpartition("-")[2])
