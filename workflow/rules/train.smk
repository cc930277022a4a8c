rule train_model:
    input:
        dataset=dataset_of_model,
        previous=previous_checkpoint,
    output:
        checkpoint="<results>/checkpoints/{model}/seed-{seed}/epoch-{epoch}.pt",
        history="<results>/checkpoints/{model}/seed-{seed}/epoch-{epoch}.json",
    log:
        "<logs>/train_model/{model}/seed-{seed}/epoch-{epoch}.log",
    wildcard_constraints:
        model=of_models("trained"),
    conda:
        "../../envs/uncanny.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=hours(12),
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
        checkpoint="<results>/checkpoints/{model}/seed-{seed}/epoch-{epoch}.pt",
        history="<results>/checkpoints/{model}/seed-{seed}/epoch-{epoch}.json",
    log:
        "<logs>/import_model/{model}/seed-{seed}/epoch-{epoch}.log",
    wildcard_constraints:
        model=of_models("external"),
    # Whether weights fit is known in seconds: before anything is trained.
    priority: 10
    conda:
        "../../envs/uncanny.yaml"
    resources:
        mem_mb=8000,
        runtime=hours(1),
    params:
        identity=lambda w: STUDY.identity(w.model),
        source_files=files_of_weights,
        code=lambda w: STUDY.code("import_model", model=w.model),
    script:
        "../../scripts/import_model.py"


# Export the averaged network of a discrete model as a diffusers folder.
rule export_model:
    input:
        checkpoint="<results>/checkpoints/{model}/seed-{seed}/epoch-{epoch}.pt",
    output:
        index="<results>/diffusers/{model}/seed-{seed}/epoch-{epoch}/model_index.json",
        unet="<results>/diffusers/{model}/seed-{seed}/epoch-{epoch}/unet/diffusion_pytorch_model.safetensors",
        config="<results>/diffusers/{model}/seed-{seed}/epoch-{epoch}/unet/config.json",
        scheduler="<results>/diffusers/{model}/seed-{seed}/epoch-{epoch}/scheduler/scheduler_config.json",
    log:
        "<logs>/export_model/{model}/seed-{seed}/epoch-{epoch}.log",
    conda:
        "../../envs/uncanny.yaml"
    resources:
        mem_mb=8000,
        runtime=hours(1),
    params:
        identity=lambda w: STUDY.identity(w.model),
        code=lambda w: STUDY.code("export_model", model=w.model),
    script:
        "../../scripts/export_model.py"


rule train_extractor:
    input:
        dataset=dataset_of_extractor,
    output:
        extractor="<results>/extractors/{extractor}.pt",
        report="<results>/extractors/{extractor}.json",
    log:
        "<logs>/train_extractor/{extractor}.log",
    conda:
        "../../envs/uncanny.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=hours(2),
    params:
        extractor=lambda w: STUDY.component("extractors", w.extractor),
        source_files=files_of_extractor,
        code=lambda w: STUDY.code("train_extractor", extractors=w.extractor),
    script:
        "../../scripts/train_extractor.py"


rule train_classifier:
    input:
        dataset="<results>/datasets/{dataset}/dataset.json",
    output:
        checkpoint="<results>/classifiers/{classifier}/{dataset}-{process}-{schedule}.pt",
        report="<results>/classifiers/{classifier}/{dataset}-{process}-{schedule}.json",
    log:
        "<logs>/train_classifier/{classifier}/{dataset}-{process}-{schedule}.log",
    conda:
        "../../envs/uncanny.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=hours(12),
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
