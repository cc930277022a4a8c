rule extract_reference:
    input:
        dataset="<results>/datasets/{dataset}/dataset.json",
        extractor="<results>/extractors/{extractor}.pt",
    output:
        "<results>/features/{extractor}/{dataset}-{split}.npz",
    log:
        "<logs>/extract_reference/{extractor}/{dataset}-{split}.log",
    wildcard_constraints:
        split="train|test",
    conda:
        "../../envs/uncanny.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=hours(2),
    params:
        code=lambda w: STUDY.code("extract_reference", extractors=w.extractor),
    script:
        "../../scripts/extract_reference.py"


rule score_references:
    input:
        dataset="<results>/datasets/{dataset}/dataset.json",
        extractor=extractor_of_dataset,
        reference=reference_of_dataset,
    output:
        "<results>/scores/references/{dataset}.json",
    log:
        "<logs>/score_references/{dataset}.log",
    conda:
        "../../envs/uncanny.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=hours(2),
    params:
        evaluation=lambda w: STUDY.evaluation(w.dataset),
        num_images=STUDY.config["num_images"],
        code=lambda w: STUDY.code("score_references", evaluation=w.dataset),
    script:
        "../../scripts/score_references.py"


rule score_samples:
    input:
        samples="<results>/samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.npz",
        record="<results>/samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.json",
        extractor=extractor_of_model,
        reference=reference_of_model,
    output:
        "<results>/scores/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.json",
    log:
        "<logs>/score_samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.log",
    group:
        "cell"
    conda:
        "../../envs/uncanny.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=hours(1),
    params:
        cell=lambda w: plan.cell_record(STUDY, w),
        identity=lambda w: STUDY.identity(w.model),
        evaluation=evaluation_of_model,
        features=features_of,
        code=lambda w: scoring_code("score_samples", w),
    script:
        "../../scripts/score_samples.py"


rule score_sizes:
    input:
        samples="<results>/sizes/samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.npz",
        record="<results>/sizes/samples/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.json",
        extractor=extractor_of_model,
        reference=reference_of_model,
    output:
        "<results>/sizes/scores/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.json",
    log:
        "<logs>/score_sizes/{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}.log",
    conda:
        "../../envs/uncanny.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=hours(2),
    params:
        cell=lambda w: plan.cell_record(STUDY, w),
        identity=lambda w: STUDY.identity(w.model),
        evaluation=evaluation_of_model,
        sizes=STUDY.config["sample_sizes"],
        code=lambda w: scoring_code("score_sizes", w),
    script:
        "../../scripts/score_sizes.py"
