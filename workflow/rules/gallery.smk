# Costs on the page are from the benchmark records of this study's jobs.
rule gallery:
    input:
        [figure_target(figure) for figure in STUDY.config["figures"]],
        [table_target(table) for table in STUDY.config["tables"]],
        claims="<results>/tables/claims.md" if STUDY.config["claims"] else [],
    output:
        "<results>/README.md",
    log:
        "<logs>/gallery.log",
    localrule: True
    conda:
        "../../envs/uncanny.yaml"
    params:
        config=lambda w: STUDY.config,
        results=lambda w: f"results/{STUDY.name}",
        command="snakemake {}"
        + "".join(f" --configfile {path}" for path in given_configs()),
        code=STUDY.code("gallery"),
    script:
        "../../scripts/gallery.py"
