# Timing jobs take all cores, so that nothing else runs, but the timed code uses one thread, as in a study. On a cluster
# they have a GPU of their own (profiles/slurm). One job times everything that is compared, in turns.
rule time_sampling:
    input:
        checkpoint=pattern("checkpoints"),
        classifiers=classifiers_of_timing,
        losses=losses_of_timing,
    output:
        pattern("sampling_times"),
    log:
        f"<logs>/time_sampling/{CHECKPOINT}.log",
    conda:
        "../../envs/uncanny.yaml"
    threads: workflow.cores
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=time_limit,
    params:
        identity=lambda w: STUDY.identity(w.model),
        samplings=timed_samplings,
        classifiers=lambda w: plan_times.guiding(STUDY, w.model),
        num_images=STUDY.config["timing"].get("num_images", STUDY.config["num_images"]),
        batches=STUDY.config["timing"]["batches"],
        code=timing_code,
    script:
        "../../scripts/time_sampling.py"


rule time_training:
    input:
        datasets=[
            prepared(STUDY.names(model)["dataset"])
            for model in plan_times.trained(STUDY)
        ],
    output:
        pattern("training_times"),
    log:
        "<logs>/time_training.log",
    conda:
        "../../envs/uncanny.yaml"
    threads: workflow.cores
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=time_limit,
    params:
        identities={m: STUDY.identity(m) for m in plan_times.trained(STUDY)},
        blocks=STUDY.config["timing"]["blocks"],
        code=[
            STUDY.code("time_training", model=model)
            for model in plan_times.trained(STUDY)
        ],
    script:
        "../../scripts/time_training.py"


rule make_table:
    input:
        unpack(lambda w: below_results_by_kind(plan_inputs.of_table(STUDY, w.table))),
    output:
        csv="<results>/tables/{table}.csv",
        md="<results>/tables/{table}.md",
        tex="<results>/tables/{table}.tex",
        page=report(
            "<results>/tables/{table}.html",
            caption="../report/table.rst",
            category="Tables",
            labels=lambda w: {"table": listing.report_label(STUDY, "tables", w.table)},
        ),
    log:
        "<logs>/make_table/{table}.log",
    localrule: True
    conda:
        "../../envs/uncanny.yaml"
    params:
        table=lambda w: Readable(STUDY.block("tables", w.table)),
        contents=lambda w: Readable(plan_tables.contents(STUDY, w.table)),
        template=pages.version(),
        code=lambda w: plan_tables.code(STUDY, w.table),
    script:
        "../../scripts/make_table.py"


rule assess_claims:
    input:
        **below_results_by_kind(plan_inputs.of_claims(STUDY)),
    output:
        csv="<results>/tables/claims.csv",
        md="<results>/tables/claims.md",
        tex="<results>/tables/claims.tex",
        json="<results>/tables/claims.json",
        page=report(
            "<results>/tables/claims.html",
            caption="../report/claims.rst",
            category="Claims",
            labels={"claims": "verdicts and controls"},
        ),
    log:
        "<logs>/assess_claims.log",
    localrule: True
    conda:
        "../../envs/plotting.yaml"
    params:
        claims=Readable(
            {
                name: plan_claims.resolved(STUDY, name)
                for name in STUDY.config["claims"]
            }
        ),
        seeds=STUDY.seeds,
        sampling_seeds=STUDY.sampling_seeds,
        scale=STUDY.config["scale"],
        spreads=stored_spreads.version(),
        labels=plan_claims.labels(STUDY),
        template=pages.version(),
        code=lambda w: STUDY.code("assess_claims", kinds=plan_claims.kinds(STUDY)),
    script:
        "../../scripts/assess_claims.py"
