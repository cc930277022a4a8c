rule extract_reference:
    input:
        dataset=pattern("datasets"),
        extractor=pattern("extractors"),
    output:
        pattern("reference_features"),
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
        runtime=time_limit,
    params:
        neighbours=lambda w: STUDY.neighbours(w.dataset),
        kernels=lambda w: STUDY.asks_for(w.dataset, "KERNELS"),
        held_out=lambda w: STUDY.asks_for(w.dataset, "HELD_OUT"),
        code=lambda w: STUDY.code("extract_reference", extractors=w.extractor),
    script:
        "../../scripts/extract_reference.py"


rule score_references:
    input:
        dataset=pattern("datasets"),
        extractor=extractor_of_dataset,
        reference=reference_of_dataset,
    output:
        pattern("references"),
    log:
        "<logs>/score_references/{dataset}.log",
    conda:
        "../../envs/uncanny.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=time_limit,
    params:
        evaluation=lambda w: STUDY.evaluation(w.dataset),
        num_images=lambda w: STUDY.num_images(w.dataset),
        code=lambda w: STUDY.code("score_references", evaluation=w.dataset),
    script:
        "../../scripts/score_references.py"


# The features of a sample set, where the extractor is large: seconds on a GPU. All scoring after it needs none.
rule extract_many_features:
    input:
        samples=pattern("many_samples"),
        record=pattern("many_sample_records"),
        extractor=pattern("extractors"),
    output:
        pattern("many_features"),
    log:
        f"<logs>/extract_many_features/{{extractor}}/{CELL}.log",
    conda:
        "../../envs/uncanny.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=time_limit,
    params:
        code=lambda w: STUDY.code("extract_features", extractors=w.extractor),
    script:
        "../../scripts/extract_features.py"


use rule extract_many_features as extract_features with:
    input:
        samples=pattern("samples"),
        record=pattern("sample_records"),
        extractor=pattern("extractors"),
    output:
        pattern("features"),
    log:
        f"<logs>/extract_features/{{extractor}}/{CELL}.log",
    group:
        "cell"


rule score_samples:
    input:
        samples=pattern("samples"),
        record=pattern("sample_records"),
        extractor=extractor_of_model,
        reference=reference_of_model,
        features=features_apart("features"),
    output:
        pattern("scores"),
    log:
        f"<logs>/score_samples/{CELL}.log",
    group:
        group_of_scores
    conda:
        "../../envs/uncanny.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=time_limit,
    params:
        cell=lambda w: plan.cell_record(STUDY, cell_of(w)),
        identity=lambda w: STUDY.identity(w.model),
        evaluation=evaluation_of_model,
        features=features_of,
        code=lambda w: scoring_code("score_samples", w),
    script:
        "../../scripts/score_samples.py"


rule score_sizes:
    input:
        samples=pattern("many_samples"),
        record=pattern("many_sample_records"),
        extractor=extractor_of_model,
        reference=reference_of_model,
        features=features_apart("many_features"),
    output:
        pattern("sizes"),
    log:
        f"<logs>/score_sizes/{CELL}.log",
    conda:
        "../../envs/uncanny.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=time_limit,
    params:
        cell=lambda w: plan.cell_record(STUDY, cell_of(w)),
        identity=lambda w: STUDY.identity(w.model),
        evaluation=evaluation_of_sizes,
        sizes=STUDY.config["sample_sizes"],
        code=lambda w: scoring_code("score_sizes", w),
    script:
        "../../scripts/score_sizes.py"
