"""Tables: configuration, times and scores of a study, next to the paper's numbers.

A module `kind.py` has a function `kind(contents, *, options)` that returns a DataFrame, written as
CSV, and a constant NEEDS: "config" if the config is enough, "timings", "scores", "likelihoods" or
"verdicts" (of experiments) if such records are read; SHOWS, if it requires keys of its block: one
of each group.
A function `sections(frame)`, if there is one, returns what Markdown and LaTeX show, heading →
table.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sampling:
    """A sampler with the models of one process. sampler, process: complete blocks."""

    name: str
    label: str
    process_label: str
    sampler: dict
    process: dict


@dataclass(frozen=True)
class Contents:
    """Data of a table, in the order in which they are shown.

    models: name → identity. processes: model → name of its process. samplers: name → model →
    complete options. classifiers: name → network and training. labels: section → name → label.
    timings: records of `timing`; `timed`: names by which those to be shown are selected. scores:
    records of cells, and of their sample sizes. verdicts: of experiments, as written by them.
    trained: records of training, with options of processes that followed from the data.
    likelihoods: of checkpoints.
    """

    models: dict[str, dict] = field(default_factory=dict)
    processes: dict[str, str] = field(default_factory=dict)
    samplers: dict[str, dict[str, dict]] = field(default_factory=dict)
    classifiers: dict[str, dict] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    timings: list[dict] = field(default_factory=list)
    timed: list[dict] = field(default_factory=list)
    scores: list[dict] = field(default_factory=list)
    verdicts: list[dict] = field(default_factory=list)
    trained: list[dict] = field(default_factory=list)
    likelihoods: list[dict] = field(default_factory=list)

    def times(self) -> list[dict]:
        """The timing records to be shown, in their order."""
        return [r for names in self.timed for r in self.timings if r.items() >= names.items()]

    def label(self, section: str, name: str) -> str:
        return self.labels.get(section, {}).get(name, name)

    def samplings(self) -> list[Sampling]:
        """Every sampler with every process that it is used with, each pair once; a process whose
        options follow from the data is one for every dataset.
        """
        samplings = {}
        for name, by_model in self.samplers.items():
            for model, options in by_model.items():
                process, block = self.processes[model], self.process(model)
                label, dataset = self.label("processes", process), self.models[model].get("dataset")
                key = name, process, dataset if block != self.models[model]["process"] else None
                samplings.setdefault(
                    key, Sampling(name, self.label("samplers", name), label, options, block)
                )
        return list(samplings.values())

    def process(self, model: str) -> dict:
        """Options of a model's process, those that followed from the data included."""
        identity = self.models[model]
        derived = (r["derived"] for r in self.trained if r["identity"] == identity)
        return identity["process"] | next(derived, {})


def format_value(value: object) -> str:
    """Format an option's value: numbers without trailing zeros, lists with commas."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return ", ".join(map(format_value, value)) if isinstance(value, list | tuple) else str(value)
