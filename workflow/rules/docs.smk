# Without output, these run each time they are requested. onstart lists the jobs behind all pages for them.
rule record_docs:
    log:
        "<logs>/record_docs.log",
    localrule: True
    conda:
        "../../envs/uncanny.yaml"
    params:
        config=lambda w: STUDY.config,
        folder=f"{BASE}/docs/{STUDY.name}",
        code=STUDY.code("gallery"),
    script:
        "../../scripts/record_docs.py"


rule check_docs:
    log:
        "<logs>/check_docs.log",
    localrule: True
    conda:
        "../../envs/uncanny.yaml"
    params:
        config=lambda w: STUDY.config,
        folder=f"{BASE}/docs/{STUDY.name}",
        code=STUDY.code("gallery"),
    script:
        "../../scripts/check_docs.py"
