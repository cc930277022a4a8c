"""Likelihood of held-out images: the variational bound of discrete models in bits per dimension."""

import numpy as np
import pandas as pd

from uncanny.tables import Contents

NEEDS = "likelihoods"
SHOWS = (("models",),)
PARTS = {"prior": "prior", "steps": "steps", "grey_values": "grey values"}


def likelihoods(contents: Contents) -> pd.DataFrame:
    """One row per model, means over its training seeds: the bound with the standard error of its
    images (one seed) or of its seeds, and its parts; empty where all trainings diverged.
    """
    return pd.DataFrame([_row(contents, model) for model in contents.models])


def _row(contents: Contents, model: str) -> dict:
    own = [record for record in contents.likelihoods if record["model"] == model]
    kept = [record for record in own if record["status"] == "ok"]
    bits = np.array([record["bits_per_dim"] for record in kept])
    error = bits.std(ddof=1) / len(bits) ** 0.5 if len(bits) > 1 else np.nan
    parts = {
        label: np.mean([record["parts"][key] for record in kept]) if kept else np.nan
        for key, label in PARTS.items()
    }
    return {
        "model": contents.label("models", model),
        "variance": kept[0]["variance"] if kept else "",
        "epoch": own[0]["epoch"],
        "bits per dimension": bits.mean() if kept else np.nan,
        "s.e.": kept[0]["se"] if len(kept) == 1 else error,
        **parts,
        "images": kept[0]["n"] if kept else 0,
        "split": kept[0]["split"] if kept else "",
        "trainings": len(kept),
        "diverged": len(own) - len(kept),
    }
