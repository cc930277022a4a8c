rule plot_figure:
    input:
        unpack(lambda w: below_results_by_kind(plan_inputs.of_figure(STUDY, w.figure))),
    output:
        pdf="<results>/figures/{figure}.pdf",
        png=report(
            "<results>/figures/{figure}.png",
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        csv="<results>/figures/{figure}.csv",
        caption="<results>/figures/{figure}.txt",
    log:
        "<logs>/plot_figure/{figure}.log",
    localrule: True
    conda:
        "../../envs/plotting.yaml"
    params:
        figure=lambda w: STUDY.block("figures", w.figure),
        appearance=lambda w: plan.appearance(STUDY, w.figure),
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
