# Training curves of all models, for `snakemake training` and the report.
rule plot_training:
    input:
        lambda w: below_results(plan.histories(STUDY, w.model)),
    output:
        pdf="<results>/training/{model}.pdf",
        png="<results>/training/{model}.png",
        csv="<results>/training/{model}.csv",
        caption="<results>/training/{model}.txt",
        page=report(
            "<results>/training/{model}.html",
            caption="../report/figure.rst",
            category="Training",
            labels={"model": "{model}"},
        ),
    log:
        "<logs>/plot_training/{model}.log",
    localrule: True
    conda:
        "../../envs/plotting.yaml"
    params:
        label=lambda w: STUDY.config["models"][w.model].get("label", w.model),
        template=pages.version(),
        code=STUDY.code("plot_training"),
    script:
        "../../scripts/plot_training.py"


rule training:
    input:
        [
            file_of("training_curves", model=model, suffix=suffix)
            for model in plan.trained_models(STUDY)
            for suffix in ("png", "html")
        ],
    localrule: True
