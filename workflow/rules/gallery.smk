# Costs on the page are from the benchmark records of this study's jobs.
rule gallery:
    input:
        [figure_target(figure) for figure in STUDY.config["figures"]],
        [table_target(table) for table in STUDY.config["tables"]],
        table_target("claims") if STUDY.config["claims"] else [],
        claims="<results>/tables/claims.md" if STUDY.config["claims"] else [],
    output:
        readme="<results>/README.md",
        page="<results>/index.html",
        metadata="<results>/report.yaml",
        overview=report(
            "<results>/overview.html",
            category="Claims",
            labels={"claims": "scorecard and key figures"},
        ),
    log:
        "<logs>/gallery.log",
    localrule: True
    conda:
        "../../envs/uncanny.yaml"
    params:
        config=lambda w: Readable(STUDY.config),
        results=lambda w: f"results/{STUDY.name}",
        command=pages.command(workflow.config_settings.configfiles or [], BASE),
        template=pages.version(),
        code=STUDY.code("gallery"),
    script:
        "../../scripts/gallery.py"
