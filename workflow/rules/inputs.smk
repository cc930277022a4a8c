# What jobs read, and their parameters: functions of wildcards.


def previous_checkpoint(wildcards):
    """The checkpoint from which a training segment continues; none for the first."""
    epoch = STUDY.previous_epoch(int(wildcards.epoch))
    if epoch is None:
        return []
    return file_of("checkpoints", wildcards, epoch=epoch)


def prepared(dataset):
    return file_of("datasets", dataset=dataset)


def described(path, record, wildcards):
    """A line that changes with the files at `path`; if they are missing, the line in the record made from them."""
    if path is None:
        return None
    known = result_paths.path(record, **dict(wildcards.items()))
    return source_files.describe(path) or source_files.recorded(
        f"results/{STUDY.name}/{known}"
    )


def files_of_dataset(wildcards):
    path = STUDY.source("datasets", wildcards.dataset)
    return described(path, "datasets", wildcards)


def files_of_extractor(wildcards):
    path = STUDY.source("extractors", wildcards.extractor)
    return described(path, "extractor_reports", wildcards)


def files_of_weights(wildcards):
    return described(STUDY.external(wildcards.model)["path"], "histories", wildcards)


def files_of_samples(kind):
    """The same for imported samples, as a function; kind: "sample_records" or "many_sample_records"."""
    return lambda w: described(STUDY.identity(w.model)["samples"], kind, w)


def dataset_of_model(wildcards):
    return prepared(STUDY.names(wildcards.model)["dataset"])


def dataset_of_extractor(wildcards):
    return prepared(STUDY.component("extractors", wildcards.extractor)["dataset"])


def dataset_of_sampling(wildcards):
    """The model's dataset, if sampling starts from its images."""
    w = wildcards
    from_data = STUDY.starts_from_data(w.sampler, w.model, w.guidance)
    return dataset_of_model(w) if from_data else []


def losses_of_sampling(wildcards):
    """The checkpoint's denoising losses, if the sampler's grid is derived from them."""
    w = wildcards
    return file_of("losses", w) if STUDY.needs_losses(w.sampler, w.model) else []


def losses_of_comparison(wildcards):
    """The same for all samplers of an experiment."""
    derives = plan_experiments.derives(STUDY, wildcards.experiment, wildcards.model)
    return file_of("losses", wildcards) if derives else []


def best_checkpoint(wildcards):
    """The checkpoint that serves as the best denoiser."""
    epoch = plan_experiments.best_epoch(STUDY, wildcards.model)
    return file_of("checkpoints", wildcards, epoch=epoch)


def classifiers_of_guidance(wildcards):
    """Checkpoints of the classifiers of a guidance, trained for the model's noise."""
    return classifiers(STUDY.guiding(wildcards.guidance), wildcards.model)


def classifiers(names, model):
    return below_results(
        plan.classifier_file(STUDY, "classifiers", name, model) for name in names
    )


def sampling_parameters(wildcards):
    """Everything that determines a checkpoint's samples, except code and seeds."""
    w = wildcards
    return {
        "identity": STUDY.identity(w.model),
        "sampler": STUDY.sampler(w.sampler, w.model),
        "guidance": STUDY.guidance(w.guidance),
        "classifiers": STUDY.guiding(w.guidance),
    }


def timed_samplings(wildcards):
    """All combinations of sampler and guidance that are timed for a model, with their names."""
    return [
        {
            "names": {"sampler": sampler, "guidance": guidance},
            "sampler": STUDY.sampler(sampler, wildcards.model),
            "guidance": STUDY.guidance(guidance),
            "classifiers": STUDY.guiding(guidance),
        }
        for sampler, guidance in plan_times.sampled(STUDY, wildcards.model)
    ]


def classifiers_of_timing(wildcards):
    """Checkpoints of all classifiers in a model's timings."""
    return classifiers(plan_times.guiding(STUDY, wildcards.model), wildcards.model)


def losses_of_timing(wildcards):
    """The checkpoint's denoising losses, if a timed sampler needs them."""
    needed = plan_times.needs_losses(STUDY, wildcards.model)
    return file_of("losses", wildcards) if needed else []


def timing_code(wildcards):
    """Fingerprints of the code of all timed samplers."""
    model = wildcards.model
    return [
        STUDY.code("time_sampling", model=model, sampler=sampler, guidance=guidance)
        for sampler, guidance in plan_times.sampled(STUDY, model)
    ]


def images_of_cell(wildcards):
    """Number of images of a cell."""
    return plan.images_of_cell(STUDY, wildcards.model)


def shards_of_cell(wildcards):
    """Shards of a cell's images."""
    cell, count = cell_of(wildcards), images_of_cell(wildcards)
    return below_results(plan.shard_files(STUDY, cell, 0, count))


def shards_of_many(wildcards):
    """A cell's images, and shards up to the largest of the sample sizes."""
    cell, first = cell_of(wildcards), images_of_cell(wildcards)
    more = plan.shard_files(
        STUDY, cell, first, max(STUDY.config["sample_sizes"], default=0)
    )
    return below_results([cell.path("samples"), *more])


def records_of(sample_sets):
    return [path.removesuffix(".npz") + ".json" for path in sample_sets]


def extractor_of_dataset(wildcards):
    return file_of(
        "extractors", extractor=STUDY.evaluation(wildcards.dataset)["extractor"]
    )


def reference_of_dataset(wildcards):
    """Features of the real images that samples are compared with."""
    return reference_features(wildcards.dataset)


def reference_features(dataset):
    block = STUDY.evaluation(dataset)
    return file_of(
        "reference_features",
        extractor=block["extractor"],
        dataset=dataset,
        split=block["reference"],
    )


def evaluation_of_model(wildcards):
    return STUDY.evaluation_of(wildcards.model)


def evaluation_of_sizes(wildcards):
    model = wildcards.model
    return STUDY.evaluation_of_sizes(STUDY.names(model)["dataset"], model)


def extractor_of_model(wildcards):
    return file_of("extractors", extractor=evaluation_of_model(wildcards)["extractor"])


def reference_of_model(wildcards):
    return reference_features(STUDY.names(wildcards.model)["dataset"])


def features_of(wildcards):
    """Path of a cell's features, which later metrics use again."""
    extractor = evaluation_of_model(wildcards)["extractor"]
    path = cell_of(wildcards).path("features", extractor=extractor)
    return f"results/{STUDY.name}/{path}"


def features_apart(kind):
    """A cell's features, as an input function, if jobs of their own extract them; kind: "features" or "many_features"."""

    def apart(wildcards):
        if not STUDY.extracts_apart(STUDY.names(wildcards.model)["dataset"]):
            return []
        extractor = evaluation_of_model(wildcards)["extractor"]
        return file_of(kind, wildcards, extractor=extractor)

    return apart


def group_of_scores(wildcards):
    """Scoring is submitted with the cell, unless it is long: then it must not keep a GPU."""
    dataset = STUDY.names(wildcards.model)["dataset"]
    return None if STUDY.extracts_apart(dataset) else "cell"


def sampling_code(script, wildcards):
    """Fingerprint of the code with which a model is sampled."""
    w = wildcards
    return STUDY.code(script, model=w.model, sampler=w.sampler, guidance=w.guidance)


def scoring_code(script, wildcards):
    return STUDY.code(script, evaluation=STUDY.names(wildcards.model)["dataset"])
