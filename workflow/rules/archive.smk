# What figures, tables and claims are drawn from, in one file: they are drawn again where no checkpoint is.
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
