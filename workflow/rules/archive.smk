# The files from which figures, tables and claims are made, in one archive: no checkpoint is needed to make them again.
rule pack_archive:
    input:
        below_results(plan_inputs.of_all(STUDY)),
    output:
        "<results>/archive.tar",
    log:
        "<logs>/pack_archive.log",
    localrule: True
    conda:
        "../../envs/plotting.yaml"
    params:
        study=STUDY.name,
        identity=plan_archive.identity(STUDY),
        code=STUDY.code("pack_archive"),
    script:
        "../../scripts/pack_archive.py"
