"""Style of all figures, on seaborn's theme: sizes, fonts, colours, markers, dashes.

Across figures a model keeps its colour and marker (`palette`), and grey means a reference.
"""

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import matplotlib
import seaborn as sns
from matplotlib.colors import is_color_like, to_hex

from uncanny.figures import palette

COLUMN_WIDTH = 3.35  # inches: one column of the page
FULL_WIDTH = 6.9
PNG_DPI = 200
# Without dates the same figure is the same bytes.
METADATA = {"pdf": {"CreationDate": None}, "png": {}}

AXES = {"grid.color": "0.92", "axes.edgecolor": "0.3", "axes.axisbelow": True}
AXES |= {"axes.spines.top": False, "axes.spines.right": False, "font.family": ["sans-serif"]}
LINES = {"axes.linewidth": 0.6, "grid.linewidth": 0.5, "lines.linewidth": 1.1, "axes.titlepad": 4}
TICKS = {f"{axis}tick.major.{key}": v for axis in "xy" for key, v in [("width", 0.6), ("size", 2)]}
SIZES = dict.fromkeys(("font.size", "axes.labelsize", "axes.titlesize"), 8)
SIZES |= {"legend.fontsize": 7.5, "xtick.labelsize": 7, "ytick.labelsize": 7}
LEGEND = {"frameon": False, "handlelength": 2.6, "columnspacing": 1.4, "labelspacing": 0.35}


@contextlib.contextmanager
def context() -> Iterator[None]:
    """Context in which figures are drawn and saved, independent of the user's own settings."""
    rc = {**matplotlib.rcParamsDefault, **sns.axes_style("whitegrid"), **AXES, "pdf.fonttype": 42}
    rc |= {**sns.plotting_context("paper"), **SIZES, **LINES, **TICKS}
    rc |= {f"legend.{key}": value for key, value in LEGEND.items()}
    with matplotlib.rc_context(rc), warnings.catch_warnings():
        # seaborn 0.13.2 passes pandas.concat an argument that pandas 3 no longer needs.
        warnings.filterwarnings("ignore", "The copy keyword is deprecated", module="seaborn")
        yield


class ModelStyle(NamedTuple):
    """Label, colour and marker of one model in all figures."""

    label: str
    color: str
    marker: str


NEUTRAL = ModelStyle("", "0.5", "o")  # of what is no model


# Markers that look smaller than the others at the same size, and by how much they are enlarged.
MARKERS = dict.fromkeys(palette.MARKERS, 4.0) | {"*": 5.8, "P": 4.5, "X": 4.5, "s": 3.5, "D": 3.3}


def model_styles(models: Mapping[str, Mapping]) -> dict[str, ModelStyle]:
    """Label, colour and marker of every model of a study, the same in all figures.

    `models` maps names to appearances with the optional keys label (default: the name), color, and
    those of `palette.looks`. Raises ValueError for a value that is not a colour.
    """
    for name, look in models.items():
        if look.get("color") and not is_color_like(look["color"]):
            raise ValueError(
                f"model {name}: color is {look['color']!r}, expected a colour such as '#1f77b4'"
            )
    return {
        name: ModelStyle(models[name].get("label") or name, to_hex(look.color), look.marker)
        for name, look in palette.looks(models).items()
    }


# Dashes of what varies within a panel; an odd number, so that with two alternating fillings of
# markers there are twice as many looks.
_LENGTHS = [(), (3.5, 1.5), (1.2, 1.1), (5, 1.2, 1.2, 1.2), (7, 2), (3, 1, 1, 1, 1, 1), (1, 2.4)]
DASHES = [(0, lengths) for lengths in _LENGTHS]
SOLID = DASHES[0]


class ReferenceStyle(NamedTuple):
    """Label, colour and dash of a horizontal reference line."""

    label: str
    color: str
    dash: tuple


REFERENCES = {
    "train": ReferenceStyle("real train", "0.35", (0, (7, 2))),
    "test": ReferenceStyle("real test", "0.5", (0, (3, 1.8))),
    "gaussian": ReferenceStyle("Gaussian noise", "0.35", (0, (1, 1.6))),
    "uniform": ReferenceStyle("uniform noise", "0.5", (0, (5, 1.6, 1, 1.6))),
}
NOISES = ("gaussian", "uniform")


def reference_style(name: str) -> ReferenceStyle:
    """The style of a reference; one without its own has a default style and its name as label."""
    default = ReferenceStyle(name.replace("_", " "), "0.6", (0, (2, 1, 1, 1)))
    return REFERENCES.get(name, default)
