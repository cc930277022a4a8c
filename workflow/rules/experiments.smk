# A checkpoint's denoising loss by noise level, and its distance from the best denoiser.
rule measure_losses:
    input:
        checkpoint=pattern("checkpoints"),
        best=best_checkpoint,
        dataset=dataset_of_model,
    output:
        pattern("losses"),
    log:
        f"<logs>/measure_losses/{CHECKPOINT}.log",
    conda:
        "../../envs/uncanny.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=time_limit,
    params:
        identity=lambda w: STUDY.identity(w.model),
        options=STUDY.config["losses"],
        names=lambda w: plan_experiments.loss_names(STUDY, w.model),
        code=lambda w: STUDY.code("measure_losses", model=w.model),
    script:
        "../../scripts/measure_losses.py"


# The likelihood of held-out images under a checkpoint of a discrete model.
rule measure_likelihood:
    input:
        checkpoint=pattern("checkpoints"),
        dataset=dataset_of_model,
    output:
        pattern("likelihoods"),
    log:
        f"<logs>/measure_likelihood/{CHECKPOINT}.log",
    conda:
        "../../envs/uncanny.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=time_limit,
    params:
        identity=lambda w: STUDY.identity(w.model),
        options=STUDY.config["likelihood"],
        names=lambda w: plan_experiments.loss_names(STUDY, w.model),
        code=lambda w: STUDY.code("measure_likelihood", model=w.model),
    script:
        "../../scripts/measure_likelihood.py"


# All samples of an experiment from one checkpoint, in one process, with the same noise for all schedules.
rule compare_samplers:
    input:
        checkpoint=pattern("checkpoints"),
        losses=losses_of_comparison,
        extractor=extractor_of_model,
        reference=reference_of_model,
    output:
        pattern("compared"),
    log:
        f"<logs>/compare_samplers/{{experiment}}/{CHECKPOINT}.log",
    conda:
        "../../envs/uncanny.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=time_limit,
    params:
        comparison=lambda w: plan_experiments.comparison(STUDY, w.experiment, w.model),
        code=lambda w: plan_experiments.code(STUDY, w.experiment, w.model),
    script:
        "../../scripts/compare_samplers.py"


rule run_trained:
    input:
        compared=lambda w: below_results(plan_experiments.compared(STUDY, w.experiment)),
        losses=lambda w: below_results(plan_experiments.losses(STUDY, w.experiment)),
    output:
        table="<results>/trained/{experiment}.csv",
        verdicts="<results>/trained/{experiment}.jsonl",
        summary="<results>/trained/{experiment}.json",
    log:
        "<logs>/run_trained/{experiment}.log",
    conda:
        "../../envs/uncanny.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=time_limit,
    params:
        options=lambda w: plan_experiments.options(STUDY, w.experiment),
        code=lambda w: STUDY.code("run_trained", experiments=w.experiment),
    script:
        "../../scripts/run_trained.py"
