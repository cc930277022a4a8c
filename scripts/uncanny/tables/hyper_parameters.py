"""Networks and training of the models, next to the paper's values."""

import pandas as pd

from uncanny.tables import Contents, format_value, paper

NEEDS = "config"
SHOWS = (("models",),)

NETWORK = {
    "width": "width",
    "channel multipliers": "multipliers",
    "residual blocks per level": "blocks",
    "attention resolutions": "attention",
    "dropout": "dropout",
}
# Options of processes that are in an identity only where they are not the usual ones
PROCESS = {"prediction": "prediction", "variance": "variance of steps"}
# Parameters of networks that are not options.
FIXED = {
    "refinenet": {
        "resampling filter": "mean down, bilinear up",
        "noise embedding": "none",
        "encoder skip connections": "residual",
    },
    "unet": {
        "resampling filter": "strided convolution down, nearest up",
        "noise embedding": "positional",
        "encoder skip connections": "standard",
    },
}
FIXED["adm_unet"] = FIXED["unet"] | {"resampling filter": "residual blocks, mean down, nearest up"}
FILTERS = {(1, 1): "box", (1, 3, 3, 1): "bilinear"}
ARCHITECTURES = {"refinenet": "NCSNv2", "unet": "DDPM", "mlp": "MLP", "adm_unet": "ADM"}
SONG_UNETS = {"positional": "DDPM++", "fourier": "NCSN++"}
# Published pairs of network and process, to which the paper's columns belong.
PUBLISHED = {
    ("NCSNv2", "annealed"),
    ("DDPM", "discrete"),
    ("NCSN++", "ve"),
    ("DDPM++", "vp"),
}


def hyper_parameters(contents: Contents) -> pd.DataFrame:
    """Two columns per group of models with the same hyper-parameters: this study's and the paper's.

    The models of a group differ in noise schedule or class conditioning alone.
    """
    groups = []
    for model, identity in contents.models.items():
        key = (architecture(identity), contents.processes[model], values(identity))
        same = next((models for other, models in groups if other == key), None)
        if same is None:
            groups.append((key, [model]))
        else:
            same.append(model)
    names = [(name, process) for (name, process, _), _ in groups]
    columns = {}
    for (name, process, parameters), models in groups:
        heading = f"{name} ({contents.label('processes', process)})"
        if names.count((name, process)) > 1:
            heading += f": {contents.label('models', models[0])}"
        heading = f"{heading} [{models[0]}]" if heading in columns else heading
        columns[heading] = parameters | {"models": ", ".join(models)}
        if printed := _printed(name, contents.models[models[0]]):
            columns[f"{heading}, paper"] = printed
    frame = pd.DataFrame(columns).fillna("")
    order = ["models", *(row for row in frame.index if row != "models")]
    return frame.loc[order].rename_axis("parameter").reset_index()


def architecture(identity: dict) -> str:
    """Published name of a model's network."""
    network = identity["network"]
    if network["kind"] == "song_unet":
        return SONG_UNETS[network["embedding"]]
    return ARCHITECTURES.get(network["kind"], network["kind"])


def values(identity: dict) -> dict[str, str]:
    """Hyper-parameters of a model in words."""
    network, training, process = (identity[key] for key in ("network", "training", "process"))
    return {
        **(_training(training) if training else {"batch size": "trained elsewhere"}),
        **{row: process[key] for key, row in PROCESS.items() if key in process},
        "diffusion steps": str(process["num_levels"]) if process["kind"] == "discrete" else "",
        "depth": str(len(network["multipliers"])) if "multipliers" in network else "",
        **{row: format_value(network[name]) for row, name in NETWORK.items() if name in network},
        **(FIXED.get(network["kind"], {}) | _song(network)),
    }


def _training(training: dict) -> dict[str, str]:
    share = training.get("label_dropout")
    return {
        "batch size": format_value(training["batch_size"]),
        "EMA": _average(training["ema"]),
        "learning rate": format_value(training["lr"]),
        "learning-rate ramp (images)": format_value(training.get("lr_rampup_images", 0)),
        "optimiser": "Adam",
        "largest gradient norm": format_value(training.get("grad_clip")),
        "augmentation": format_value(training.get("augment", "none")),
        **({"label dropout": format_value(share)} if share else {}),
    }


def _song(network: dict) -> dict[str, str]:
    if network["kind"] != "song_unet":
        return {}
    taps = tuple(network["resample_filter"])
    return {
        "resampling filter": FILTERS.get(taps, format_value(taps)),
        "noise embedding": {"fourier": "Fourier"}.get(network["embedding"], network["embedding"]),
        "encoder skip connections": network["encoder"],
    }


def _average(ema: dict) -> str:
    if ema["kind"] == "halflife":
        ramp = format_value(ema["rampup"]) if ema.get("rampup") else None
        limit = f", at most {ramp} of the images seen" if ramp else ""
        return f"half-life of {ema['halflife_images']} images{limit}"
    return format_value(ema["beta"]) + (", warmed up" if ema.get("warmup") else "")


def _printed(name: str, identity: dict) -> dict[str, str]:
    process = identity["process"]
    kind = process.get("preconditioning", process["kind"])
    return paper.column(paper.HYPER_PARAMETERS, name) if (name, kind) in PUBLISHED else {}
