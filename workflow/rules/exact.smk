rule run_exact:
    output:
        table="<results>/exact/{experiment}.csv",
        verdicts="<results>/exact/{experiment}.jsonl",
        summary="<results>/exact/{experiment}.json",
    log:
        "<logs>/run_exact/{experiment}.log",
    conda:
        "../../envs/uncanny.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=time_limit,
    params:
        experiment=lambda w: STUDY.component("experiments", w.experiment),
        code=lambda w: STUDY.code("run_exact", experiments=w.experiment),
    script:
        "../../scripts/run_exact.py"
