# Images first .. first + number - 1 of a sampling seed. Image k does not depend on the job that samples it.
rule draw_part:
    input:
        checkpoint=pattern("checkpoints"),
        classifiers=classifiers_of_guidance,
        dataset=dataset_of_sampling,
        losses=losses_of_sampling,
    output:
        samples=temp(pattern("parts")),
        record=temp(pattern("part_records")),
    log:
        f"<logs>/draw_part/{CELL}/{{first}}-{{number}}.log",
    wildcard_constraints:
        model=of_models("trained", "external"),
    conda:
        "../../envs/uncanny.yaml"
    threads: threads_of_sampling()
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=time_limit,
    params:
        sampling=sampling_parameters,
        first=lambda w: int(w.first),
        num_images=lambda w: int(w.number),
        code=lambda w: sampling_code("draw_samples", w),
    script:
        "../../scripts/draw_samples.py"


# A larger sample set, which contains the cell's, for metrics against the number of images.
rule gather_many_samples:
    input:
        parts=shards_of_many,
        records=lambda w: records_of(shards_of_many(w)),
    output:
        samples=pattern("many_samples"),
        record=pattern("many_sample_records"),
    log:
        f"<logs>/gather_many_samples/{CELL}.log",
    wildcard_constraints:
        model=of_models("trained", "external"),
    conda:
        "../../envs/uncanny.yaml"
    resources:
        mem_mb=8000,
        runtime=time_limit,
    params:
        code=STUDY.code("gather_samples"),
    script:
        "../../scripts/gather_samples.py"


# The images of a cell, from one job, or from several if `shard_images` is smaller.
use rule draw_part as draw_samples with:
    output:
        samples=pattern("samples"),
        record=pattern("sample_records"),
    log:
        f"<logs>/draw_samples/{CELL}.log",
    wildcard_constraints:
        model=of_sampled_models(in_shards=False),
    group:
        "cell"
    params:
        sampling=sampling_parameters,
        first=0,
        num_images=images_of_cell,
        code=lambda w: sampling_code("draw_samples", w),


use rule gather_many_samples as gather_samples with:
    input:
        parts=shards_of_cell,
        records=lambda w: records_of(shards_of_cell(w)),
    output:
        samples=pattern("samples"),
        record=pattern("sample_records"),
    log:
        f"<logs>/gather_samples/{CELL}.log",
    wildcard_constraints:
        model=of_sampled_models(in_shards=True),
    group:
        "cell"


# Import a sample set.
rule import_samples:
    input:
        dataset=dataset_of_model,
    output:
        samples=pattern("samples"),
        record=pattern("sample_records"),
    log:
        f"<logs>/import_samples/{CELL}.log",
    wildcard_constraints:
        model=of_models("samples"),
    conda:
        "../../envs/uncanny.yaml"
    resources:
        mem_mb=8000,
        runtime=time_limit,
    params:
        path=lambda w: STUDY.identity(w.model)["samples"],
        source_files=files_of_samples("sample_records"),
        num_images=images_of_cell,
        code=STUDY.code("import_samples"),
    script:
        "../../scripts/import_samples.py"


use rule import_samples as import_many_samples with:
    output:
        samples=pattern("many_samples"),
        record=pattern("many_sample_records"),
    log:
        f"<logs>/import_many_samples/{CELL}.log",
    params:
        path=lambda w: STUDY.identity(w.model)["samples"],
        source_files=files_of_samples("many_sample_records"),
        num_images=max(STUDY.config["sample_sizes"], default=0),
        code=STUDY.code("import_samples"),


# Export a sample set: arr_0 uint8 [n, H, W, C], arr_1 requested classes.
rule export_samples:
    input:
        samples=pattern("samples"),
    output:
        pattern("exported"),
    log:
        f"<logs>/export_samples/{CELL}.log",
    conda:
        "../../envs/uncanny.yaml"
    resources:
        mem_mb=8000,
        runtime=time_limit,
    params:
        code=STUDY.code("export_samples"),
    script:
        "../../scripts/export_samples.py"


# For figure 1: a forward trajectory of a real image, and a backward one of a generated image.
rule trace_process:
    input:
        checkpoint=pattern("checkpoints"),
        dataset=dataset_of_model,
    output:
        pattern("traces"),
    log:
        f"<logs>/trace_process/{TRACE}.log",
    conda:
        "../../envs/uncanny.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=time_limit,
    params:
        identity=lambda w: STUDY.identity(w.model),
        sampler=lambda w: STUDY.sampler(w.sampler, w.model),
        code=lambda w: STUDY.code("trace_process", model=w.model, sampler=w.sampler),
    script:
        "../../scripts/trace_process.py"
