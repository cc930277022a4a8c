# Images first .. first + number - 1 of a sampling seed. Image k does not depend on the job that samples it.
rule draw_part:
    input:
        checkpoint="<results>/checkpoints/{model}/seed-{seed}/epoch-{epoch}.pt",
        classifiers=classifiers_of_guidance,
        dataset=dataset_of_walk,
        losses=losses_of_walk,
    output:
        samples=temp(
            "<results>/parts/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}/{first}-{number}.npz"
        ),
        record=temp(
            "<results>/parts/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}/{first}-{number}.json"
        ),
    log:
        "<logs>/draw_part/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}/{first}-{number}.log",
    wildcard_constraints:
        model=of_models("trained", "external"),
    conda:
        "../../envs/uncanny.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=hours(6),
    params:
        sampling=walk,
        first=lambda w: int(w.first),
        num_images=lambda w: int(w.number),
        code=lambda w: walk_code("draw_samples", w),
    script:
        "../../scripts/draw_samples.py"


# A larger sample set, which contains the cell's, for metrics against the number of images.
rule gather_many_samples:
    input:
        parts=parts_of_many,
        records=lambda w: records_of(parts_of_many(w)),
    output:
        samples="<results>/sizes/samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.npz",
        record="<results>/sizes/samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.json",
    log:
        "<logs>/gather_many_samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.log",
    wildcard_constraints:
        model=of_models("trained", "external"),
    conda:
        "../../envs/uncanny.yaml"
    resources:
        mem_mb=8000,
        runtime=hours(1),
    params:
        code=STUDY.code("gather_samples"),
    script:
        "../../scripts/gather_samples.py"


# The images of a cell: one job, or as many as `shard_images` says.
if len(plan.spans(STUDY, 0, STUDY.config["num_images"])) == 1:

    use rule draw_part as draw_samples with:
        output:
            samples="<results>/samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.npz",
            record="<results>/samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.json",
        log:
            "<logs>/draw_samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.log",
        group:
            "cell"
        params:
            sampling=walk,
            first=0,
            num_images=STUDY.config["num_images"],
            code=lambda w: walk_code("draw_samples", w),

else:

    use rule gather_many_samples as gather_samples with:
        input:
            parts=parts_of_cell,
            records=lambda w: records_of(parts_of_cell(w)),
        output:
            samples="<results>/samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.npz",
            record="<results>/samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.json",
        log:
            "<logs>/gather_samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.log",
        group:
            "cell"


# Import a sample set.
rule import_samples:
    input:
        dataset=dataset_of_model,
    output:
        samples="<results>/samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.npz",
        record="<results>/samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.json",
    log:
        "<logs>/import_samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.log",
    wildcard_constraints:
        model=of_models("samples"),
    conda:
        "../../envs/uncanny.yaml"
    resources:
        mem_mb=8000,
        runtime=hours(1),
    params:
        path=lambda w: STUDY.identity(w.model)["samples"],
        source_files=files_of_samples("samples"),
        num_images=STUDY.config["num_images"],
        code=STUDY.code("import_samples"),
    script:
        "../../scripts/import_samples.py"


use rule import_samples as import_many_samples with:
    output:
        samples="<results>/sizes/samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.npz",
        record="<results>/sizes/samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.json",
    log:
        "<logs>/import_many_samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.log",
    params:
        path=lambda w: STUDY.identity(w.model)["samples"],
        source_files=files_of_samples("sizes/samples"),
        num_images=max(STUDY.config["sample_sizes"], default=0),
        code=STUDY.code("import_samples"),


# Export a sample set: arr_0 uint8 [n, H, W, C], arr_1 requested classes.
rule export_samples:
    input:
        samples="<results>/samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.npz",
    output:
        "<results>/exported/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.npz",
    log:
        "<logs>/export_samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.log",
    conda:
        "../../envs/uncanny.yaml"
    resources:
        mem_mb=8000,
        runtime=hours(1),
    params:
        code=STUDY.code("export_samples"),
    script:
        "../../scripts/export_samples.py"


# For figure 1: a forward trajectory of a real image, and a backward one of a generated image.
rule trace_process:
    input:
        checkpoint="<results>/checkpoints/{model}/seed-{seed}/epoch-{epoch}.pt",
        dataset=dataset_of_model,
    output:
        "<results>/traces/{model}/seed-{seed}/{sampler}/epoch-{epoch}.npz",
    log:
        "<logs>/trace_process/{model}/seed-{seed}/{sampler}/epoch-{epoch}.log",
    conda:
        "../../envs/uncanny.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=hours(1),
    params:
        identity=lambda w: STUDY.identity(w.model),
        sampler=lambda w: STUDY.sampler(w.sampler, w.model),
        code=lambda w: STUDY.code("trace_process", model=w.model, sampler=w.sampler),
    script:
        "../../scripts/trace_process.py"
