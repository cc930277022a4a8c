rule draw_samples:
    input:
        checkpoint="<results>/checkpoints/{model}/seed-{seed}/epoch-{epoch}.pt",
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
        num_images=STUDY.config["num_images"],
        code=lambda w: STUDY.code("draw_samples", model=w.model, sampler=w.sampler),
    script:
        "../../scripts/draw_samples.py"
