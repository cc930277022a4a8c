rule draw_samples:
    input:
        checkpoint="<results>/checkpoints/{model}/seed-{seed}/epoch-{epoch}.pt",
        classifiers=classifiers_of_guidance,
        dataset=dataset_of_walk,
    output:
        samples="<results>/samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.npz",
        record="<results>/samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.json",
    log:
        "<logs>/draw_samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.log",
    group:
        "cell"
    conda:
        "../../envs/uncanny.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime="6h",
    params:
        identity=lambda w: STUDY.identity(w.model),
        sampler=lambda w: STUDY.sampler(w.sampler, w.model),
        guidance=lambda w: STUDY.guidance(w.guidance),
        classifiers=lambda w: STUDY.guiding(w.guidance),
        num_images=STUDY.config["num_images"],
        code=lambda w: walk_code("draw_samples", w),
    script:
        "../../scripts/draw_samples.py"


# A larger set for metrics against the number of images; its first images are those of the cell.
use rule draw_samples as draw_many_samples with:
    output:
        samples="<results>/sizes/samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.npz",
        record="<results>/sizes/samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.json",
    log:
        "<logs>/draw_many_samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.log",
    params:
        identity=lambda w: STUDY.identity(w.model),
        sampler=lambda w: STUDY.sampler(w.sampler, w.model),
        guidance=lambda w: STUDY.guidance(w.guidance),
        classifiers=lambda w: STUDY.guiding(w.guidance),
        num_images=max(STUDY.config["sample_sizes"], default=0),
        code=lambda w: walk_code("draw_samples", w),


# Figure 1: one image carried to noise and back.
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
        runtime="1h",
    params:
        identity=lambda w: STUDY.identity(w.model),
        sampler=lambda w: STUDY.sampler(w.sampler, w.model),
        code=lambda w: STUDY.code("trace_process", model=w.model, sampler=w.sampler),
    script:
        "../../scripts/trace_process.py"
