"""How pages and reports list figures: groups, numbers that sort, titles. No torch here."""

import re

from uncanny.study import plan
from uncanny.study.study import Study

# Group of figures -> heading.
GROUPS = {"main": "Main figures", "appendix": "Appendix", "supplementary": "Supplementary figures"}
KEY_FIGURES = 3  # first figures of a study that names none


def group(study: Study, figure: str) -> str:
    """One of GROUPS: figures numbered A1, A2, … are in the appendix."""
    if study.block("figures", figure).get("supplementary"):
        return "supplementary"
    return "appendix" if re.match(r"A\d", number(figure)) else "main"


def number(figure: str) -> str:
    """Name without the prefix figure_: "5", "A2", "A10 kid"."""
    return figure.removeprefix("figure_").replace("_", " ")


def padded(text: str) -> str:
    """Text whose numbers have two digits, so that A02 sorts before A10."""
    return re.sub(r"\d+", lambda digits: digits[0].zfill(2), text)


def title(study: Study, section: str, name: str) -> str:
    """The title of a figure or table, or its name."""
    return study.block(section, name).get("title", "").rstrip(".") or name


def heading(study: Study, figure: str) -> str:
    """Number, if the name has one, and title of a figure."""
    is_numbered = re.match(r"A?\d", number(figure)) is not None
    text = title(study, "figures", figure)
    return f"Figure {number(figure)}: {text}" if is_numbered and text != figure else text


def by_group(study: Study) -> dict[str, list[str]]:
    """Figures of each group that has some: by number, then those without one as in the config."""
    groups = {key: [n for n in study.config["figures"] if group(study, n) == key] for key in GROUPS}
    return {key: sorted(names, key=_order) for key, names in groups.items() if names}


def _order(figure: str) -> tuple[bool, str]:
    is_numbered = re.match(r"A?\d", number(figure)) is not None
    return not is_numbered, padded(number(figure)) if is_numbered else ""


def key_figures(study: Study) -> list[str]:
    """Figures of the first page of a report: `key_figures` of the config, or the first ones."""
    first = plan.paper_figures(study) or list(study.config["figures"])
    return study.config.get("key_figures") or first[:KEY_FIGURES]


def extent(study: Study) -> str:
    """Numbers of what is shown: figures and the models in them, tables, claims."""
    paper = plan.paper_figures(study)
    more = [name for name in study.config["figures"] if name not in paper]
    models = _models(study, paper)
    numbers = [
        (len(paper), "figure"),
        (len(models), "model"),
        (len(more), "supplementary figure"),
        (len(_models(study, more) - models), "further model"),
        (len(study.config["tables"]), "table"),
        (len(study.config["claims"]), "claim"),
    ]
    return ", ".join(f"{n} {noun}{'s' * (n != 1)}" for n, noun in numbers if n)


def _models(study: Study, figures: list[str]) -> set[str]:
    return set().union(*(plan.shown(study, name, "models") for name in figures))


def scale(study: Study) -> dict[str, str]:
    """Numbers behind each point: training seeds, sampling seeds, images per cell; in brackets those
    of claims, and of datasets, with a number of their own.
    """
    usual = study.config["num_images"]
    sizes = {name: study.num_images(name) for name in study.config["evaluation"]}
    own = ", ".join(f"{name}: {size:,}" for name, size in sizes.items() if size != usual)
    return {
        "training seeds": str(len(study.seeds)) + _of_claims(study),
        "sampling seeds": str(len(study.sampling_seeds)),
        "images per cell": f"{usual:,}" + (f" ({own})" if own else ""),
    }


def _of_claims(study: Study) -> str:
    """How many training seeds claims have that list their own, in brackets."""
    own = [len(block["seeds"]) for block in study.config["claims"].values() if "seeds" in block]
    return f" ({max(own)} for {len(own)} claim{'s' * (len(own) != 1)})" if own else ""


# ---- Labels of Snakemake's report -----------------------------------------------------------


def report_group(study: Study, figure: str) -> str:
    """Subcategory of a figure in Snakemake's report, which sorts them by name."""
    key = group(study, figure)
    return f"{list(GROUPS).index(key) + 1} {GROUPS[key]}"


def report_label(study: Study, section: str, name: str) -> str:
    """Number and title of a figure or table in Snakemake's report, which sorts them by this text.

    Braces, which Snakemake would take for wildcards, become parentheses.
    """
    short = padded(number(name.removeprefix("table_")))
    text = f"{short}: {title(study, section, name)}"
    return text.translate(str.maketrans("{}", "()"))


def searched(study: Study, figure: str) -> str:
    """Words by which a search finds a figure: its name, names and labels of all that it shows."""
    looks = plan.appearance(study, figure)
    words = [figure, number(figure)]
    for axis in ("models", "samplers", "guidances"):
        for name in sorted(plan.shown(study, figure, axis)):
            words += [name, looks[axis].get(name, {}).get("label", "")]
    words += [look["label"] for look in looks["metrics"].values()]
    words += [panel.get("title", "") for panel in plan.selections(study.block("figures", figure))]
    return " ".join(filter(None, dict.fromkeys(words)))
