import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

# `Snakefile` may be started from any folder: the library is found from where this file lies.
sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from uncanny import checks, configuration, warm
from uncanny.study import Study

try:
    config.update(configuration.validated(config, Path(workflow.basedir), validate))
    STUDY = Study(config)
    checks.check(STUDY)
except ValueError as error:
    raise WorkflowError(f"config: {error}") from None


pathvars:
    results=f"results/{STUDY.name}",
    logs=f"results/{STUDY.name}/logs",


wildcard_constraints:
    **STUDY.wildcards,


def figure_target(figure):
    """What makes a figure complete: its files, and the check that no model behind it diverged."""
    return [
        f"<results>/figures/{figure}.{suffix}"
        for suffix in ("pdf", "png", "csv", "complete")
    ]


def previous_checkpoint(wildcards):
    """The checkpoint that a training segment goes on from; none for the first."""
    epoch = STUDY.previous_epoch(int(wildcards.epoch))
    if epoch is None:
        return []
    return f"<results>/checkpoints/{wildcards.model}/seed-{wildcards.seed}/epoch-{epoch}.pt"


def dataset_of_model(wildcards):
    return (
        f"<results>/datasets/{STUDY.identity(wildcards.model)['dataset']}/dataset.json"
    )


def dataset_of_extractor(wildcards):
    return f"<results>/datasets/{STUDY.component('extractors', wildcards.extractor)['dataset']}/dataset.json"


def extractor_of_dataset(wildcards):
    return f"<results>/extractors/{STUDY.evaluation(wildcards.dataset)['extractor']}.pt"


def reference_of_dataset(wildcards):
    """Features of the real images that samples are compared with."""
    block = STUDY.evaluation(wildcards.dataset)
    return f"<results>/features/{block['extractor']}/{wildcards.dataset}-{block['reference']}.npz"


def extractor_of_model(wildcards):
    return f"<results>/extractors/{STUDY.evaluation(STUDY.identity(wildcards.model)['dataset'])['extractor']}.pt"


def reference_of_model(wildcards):
    dataset = STUDY.identity(wildcards.model)["dataset"]
    block = STUDY.evaluation(dataset)
    return f"<results>/features/{block['extractor']}/{dataset}-{block['reference']}.npz"


def cell_of(wildcards):
    """What a cell's record says about itself."""
    return STUDY.cell_record(wildcards)


def features_of(wildcards):
    """Where a cell's features are kept, for metrics that are computed again or later."""
    cell = STUDY.cell(wildcards)
    extractor = STUDY.evaluation(STUDY.identity(cell.model)["dataset"])["extractor"]
    return f"results/{STUDY.name}/features/{extractor}/{cell.path}.npz"


def scores_of_figure(wildcards):
    return [
        f"<results>/scores/{cell.path}.json"
        for cell in STUDY.figure_cells(wildcards.figure)
    ]


def references_of_figure(wildcards):
    return [
        f"<results>/scores/references/{dataset}.json"
        for dataset in STUDY.figure_datasets(wildcards.figure)
    ]
