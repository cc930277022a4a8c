"""Networks and training of the noisy classifiers for guidance."""

import pandas as pd

from uncanny.tables import Contents, format_value, paper

NEEDS = "config"
SHOWS = (("classifiers",),)

NETWORK = {
    "width": "width",
    "channel multipliers": "multipliers",
    "residual blocks per level": "blocks",
    "attention resolutions": "attention",
    "channels per head": "head_channels",
    "scale-shift norm": "scale_shift",
    "resampling": "resampling",
    "pooling": "pool",
    "dropout": "dropout",
}
TRAINING = {
    "batch size": "batch_size",
    "epochs": "epochs",
    "learning rate": "lr",
    "weight decay": "weight_decay",
    "augmentation": "augment",
    "seed": "seed",
}


def classifier_parameters(contents: Contents) -> pd.DataFrame:
    """One column per classifier, and the paper's values."""
    columns = {}
    for name, block in contents.classifiers.items():
        values = {row: block["network"].get(option) for row, option in NETWORK.items()}
        values |= {row: block.get(option) for row, option in TRAINING.items()}
        if not block["epochs"]:  # untrained: only the seed has an effect
            values |= {row: "–" for row in TRAINING if row not in ("epochs", "seed")}
        label = contents.label("classifiers", name)
        heading = f"{label} [{name}]" if label in columns else label
        columns[heading] = {row: format_value(value) for row, value in values.items()}
    printed = paper.column(paper.CLASSIFIER, "value")
    columns["paper"] = {row: printed.get(row, "") for row in (*NETWORK, *TRAINING)}
    return pd.DataFrame(columns).rename_axis("parameter").reset_index()
