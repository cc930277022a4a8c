rule plot_figure:
    input:
        unpack(lambda w: below_results_by_kind(plan_inputs.of_figure(STUDY, w.figure))),
    output:
        pdf="<results>/figures/{figure}.pdf",
        png="<results>/figures/{figure}.png",
        csv="<results>/figures/{figure}.csv",
        caption="<results>/figures/{figure}.txt",
        page=report(
            "<results>/figures/{figure}.html",
            caption="../report/figure.rst",
            category="Figures",
            subcategory=lambda w: listing.report_group(STUDY, w.figure),
            labels=lambda w: {
                "figure": listing.report_label(STUDY, "figures", w.figure)
            },
        ),
    log:
        "<logs>/plot_figure/{figure}.log",
    localrule: True
    conda:
        "../../envs/plotting.yaml"
    params:
        figure=lambda w: Readable(STUDY.block("figures", w.figure)),
        appearance=lambda w: Readable(plan.appearance(STUDY, w.figure)),
        heading=lambda w: listing.heading(STUDY, w.figure),
        template=pages.version(),
        code=lambda w: STUDY.code("plot_figure", figures=w.figure),
    script:
        "../../scripts/plot_figure.py"


# Figures are made without models that diverged; afterwards the run fails and names them.
rule confirm_figure:
    input:
        "<results>/figures/{figure}.csv",
    output:
        touch("<results>/figures/{figure}.complete"),
    log:
        "<logs>/confirm_figure/{figure}.log",
    priority: -1
    localrule: True
    conda:
        "../../envs/plotting.yaml"
    params:
        code=STUDY.code("confirm_figure"),
    script:
        "../../scripts/confirm_figure.py"
