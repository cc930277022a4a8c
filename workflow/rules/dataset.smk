rule prepare_dataset:
    output:
        description=pattern("datasets"),
        arrays=expand(
            "<results>/datasets/{{dataset}}/{split}-{array}.npy",
            split=["train", "test"],
            array=["images", "labels"],
        ),
    log:
        "<logs>/prepare_dataset/{dataset}.log",
    conda:
        "../../envs/uncanny.yaml"
    threads: threads_of_dataset
    resources:
        mem_mb=2000,
        runtime=time_limit,
    params:
        dataset=lambda w: STUDY.component("datasets", w.dataset),
        source_files=files_of_dataset,
        code=lambda w: STUDY.code("prepare_dataset", datasets=w.dataset),
    script:
        "../../scripts/prepare_dataset.py"
