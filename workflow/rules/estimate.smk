# Without output, it runs each time it is requested.
rule estimate:
    log:
        "<logs>/estimate.log",
    localrule: True
    conda:
        "../../envs/uncanny.yaml"
    params:
        config=lambda w: STUDY.config,
        results=f"results/{STUDY.name}",
        on_cluster=lambda w: not workflow.local_exec,
        at_once=lambda w: places(),
        devices=lambda w: limit("gpu"),
    script:
        "../../scripts/estimate.py"
