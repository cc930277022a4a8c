# Training curves of all models, for `snakemake training` and the report.
rule plot_training:
    input:
        lambda w: below_results(plan.histories(STUDY, w.model)),
    output:
        pdf="<results>/training/{model}.pdf",
        png=report(
            "<results>/training/{model}.png",
            caption="../report/training.rst",
            category="Training",
            labels={"model": "{model}"},
        ),
        csv="<results>/training/{model}.csv",
    log:
        "<logs>/plot_training/{model}.log",
    localrule: True
    conda:
        "../../envs/plotting.yaml"
    params:
        label=lambda w: STUDY.config["models"][w.model].get("label", w.model),
        code=STUDY.code("plot_training"),
    script:
        "../../scripts/plot_training.py"


rule training:
    input:
        [
            file_of("training_curves", model=model, suffix="png")
            for model in plan.trained_models(STUDY)
        ],
    localrule: True
