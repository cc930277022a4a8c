rule train_model:
    input:
        dataset=dataset_of_model,
        previous=previous_checkpoint,
    output:
        checkpoint=pattern("checkpoints"),
        history=pattern("histories"),
    log:
        f"<logs>/train_model/{CHECKPOINT}.log",
    wildcard_constraints:
        model=of_models("trained"),
    conda:
        "../../envs/uncanny.yaml"
    threads: gpus_of_training()
    resources:
        gpu=gpus_of_training(),
        nodes=1,
        mem_mb=8000,
        runtime=time_limit,
    params:
        identity=lambda w: STUDY.identity(w.model),
        code=lambda w: STUDY.code("train_model", model=w.model),
    script:
        "../../scripts/train_model.py"


# Import the weights of an external model as a checkpoint.
rule import_model:
    input:
        dataset=dataset_of_model,
    output:
        checkpoint=pattern("checkpoints"),
        history=pattern("histories"),
    log:
        f"<logs>/import_model/{CHECKPOINT}.log",
    wildcard_constraints:
        model=of_models("external"),
    # Imported first, because weights that do not fit are found within seconds.
    priority: 10
    conda:
        "../../envs/uncanny.yaml"
    resources:
        mem_mb=8000,
        runtime=time_limit,
    params:
        identity=lambda w: STUDY.identity(w.model),
        source_files=files_of_weights,
        code=lambda w: STUDY.code("import_model", model=w.model),
    script:
        "../../scripts/import_model.py"


# Export the averaged network of a discrete model as a diffusers folder.
rule export_model:
    input:
        checkpoint=pattern("checkpoints"),
    output:
        index=f"<results>/diffusers/{CHECKPOINT}/model_index.json",
        unet=f"<results>/diffusers/{CHECKPOINT}/unet/diffusion_pytorch_model.safetensors",
        config=f"<results>/diffusers/{CHECKPOINT}/unet/config.json",
        scheduler=f"<results>/diffusers/{CHECKPOINT}/scheduler/scheduler_config.json",
    log:
        f"<logs>/export_model/{CHECKPOINT}.log",
    conda:
        "../../envs/uncanny.yaml"
    resources:
        mem_mb=8000,
        runtime=time_limit,
    params:
        identity=lambda w: STUDY.identity(w.model),
        code=lambda w: STUDY.code("export_model", model=w.model),
    script:
        "../../scripts/export_model.py"


rule train_extractor:
    input:
        dataset=dataset_of_extractor,
    output:
        extractor=pattern("extractors"),
        report=pattern("extractor_reports"),
    log:
        "<logs>/train_extractor/{extractor}.log",
    conda:
        "../../envs/uncanny.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=time_limit,
    params:
        extractor=lambda w: STUDY.component("extractors", w.extractor),
        source_files=files_of_extractor,
        code=lambda w: STUDY.code("train_extractor", extractors=w.extractor),
    script:
        "../../scripts/train_extractor.py"


rule train_classifier:
    input:
        dataset=pattern("datasets"),
    output:
        checkpoint=pattern("classifiers"),
        report=pattern("reports"),
    log:
        f"<logs>/train_classifier/{CLASSIFIER}.log",
    conda:
        "../../envs/uncanny.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=time_limit,
    params:
        identity=lambda w: STUDY.classifier(
            w.classifier, w.dataset, w.process, w.schedule
        ),
        code=lambda w: STUDY.code(
            "train_classifier",
            processes=w.process,
            schedules=w.schedule,
            networks=STUDY.block("classifiers", w.classifier)["network"],
        ),
    script:
        "../../scripts/train_classifier.py"
