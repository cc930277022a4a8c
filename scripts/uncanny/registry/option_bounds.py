"""Which numbers an option may be: an interval for each name, which means the same wherever it is.

The schema says it of the fixed keys of a config. What a network or a sampler could only find out
when its job runs, after hours of other jobs, is refused here before any starts.
"""

import math
from collections.abc import Iterator
from functools import cache

# Interval: names. A name that means different things has its family before it.
INTERVALS = {
    # whole numbers
    "[0, 4294967295]": "seed",
    "[0, 1000000]": "augment_dim resample_filter shift",
    "[1, 1000000]": (
        "n n_test num_modes dim batch_size epochs subsets baseline paths published_steps "
        "map_steps max_nfe nfe splits num_steps steps_per_level top points projections"
    ),
    "[2, 1000000]": "num_levels subset_size groups at",
    "[1, 65536]": "networks.width extractors.width networks.groups head_channels attention",
    "[1, 16384]": "resolution patch_size stride datasets.scale",
    "[1, 1000]": (
        "multipliers blocks heads hidden depth k columns rows nearest_rows require per_class shown"
    ),
    "[1, 10]": "degree",
    "[0, 255]": "background",
    # numbers
    "(-inf, inf)": (
        "guidances.scale schedules.start schedules.end exponent D Q Sigma_inf strength centres"
    ),
    "[0, inf)": (
        "S_churn S_noise S_tmin S_tmax gamma nu kappa noise_weight weight_decay radius mode_std "
        "low high loss margin delta tolerance errors claims.start claims.end "
        "strengths largest thresholds"
    ),
    "(0, 1000000000]": (
        "lr scale schedules.width experiments.width widths claims.factor tau rho sigma_min "
        "sigma_max sigma_begin sigma_end sigma_data beta_d beta_min beta_0 beta_1 inverse_mass "
        "fourier_scale snr step_size budget"
    ),
    "[0, 1]": "eta share even_share at_least probability",
    "[0, 1)": "dropout offset epsilon_s",
    "(0, 1]": "alpha",
    "(0, 1)": "norm_eps test_fraction max_beta beta_start beta_end epsilon_t tol first C_1 C_2",
}
LIMITS = {name: interval for interval, names in INTERVALS.items() for name in names.split()}
# Texts that an option, or each of its list, may be where its type says no more.
TARGETS = ("singular", "near", "mid", "broad", "manifold", "mixed", "spectrum")
WORDS = {"require": ("all", "any"), "plotting.target": TARGETS, "experiments.targets": TARGETS}
WORDS["experiments.families"] = ("uniform", "bandwidth", "bias", "gain")
WORDS["experiments.solvers"] = ("sde", "heun", "euler")
FILLED = {"multipliers", "resample_filter", "metrics", "num_steps", "D", "Q", "Sigma_inf"}
# Of two options of a block, the second is more than the first, or at least as much.
RISING = (("sigma_min", "sigma_max"), ("sigma_end", "sigma_begin"), ("beta_start", "beta_end"))
NOT_FALLING = (("start", "end"), ("low", "high"), ("S_tmin", "S_tmax"))


def of(family: str, option: str) -> str | None:
    """The interval of an option of a family's components; None where it has none."""
    return _stated(LIMITS, family, option)


def _stated(table: dict, family: str, option: str):
    return table.get(f"{family}.{option}", table.get(option))


def check(family: str, option: str, value: object, where: str) -> None:
    """ValueError that names the key where a number, or one of a list, lies outside its interval, a
    text is none of those known, or a list or a text is empty that may not be.
    """
    if value == [] and option in FILLED:
        raise ValueError(f"{where}: []; expected at least one entry")
    for text in (t for t in (value if isinstance(value, list) else [value]) if isinstance(t, str)):
        known = _stated(WORDS, family, option) or ()
        if not text or (known and text not in known):
            raise ValueError(f"{where}: {text!r}; expected {', '.join(known) or 'text'}")
    interval = of(family, option)
    for place, number in _numbers(value, where):
        if interval is not None and not _within(number, interval):
            raise ValueError(f"{place}: {number!r}; expected a number in {interval}")


def check_rising(options: dict, where: str) -> None:
    """ValueError that names the key where complete options contradict each other."""
    for low, high in (*RISING, *NOT_FALLING):
        first, second = options.get(low), options.get(high)
        if first is None or second is None:
            continue
        if not first <= second or (first == second and (low, high) in RISING):
            expected = "more than" if (low, high) in RISING else "at least"
            raise ValueError(
                f"{where}.{high}: {second!r}; expected {expected} {low}, which is {first!r}"
            )


def _numbers(value: object, where: str) -> Iterator[tuple[str, float]]:
    """Every number in a value and where it stands."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _numbers(item, f"{where}[{index}]")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield where, value


@cache
def _ends(interval: str) -> tuple[float, float, bool, bool]:
    low, high = map(float, interval[1:-1].split(", "))
    return low, high, interval[0] == "[", interval[-1] == "]"


def _within(number: float, interval: str) -> bool:
    low, high, has_low, has_high = _ends(interval)
    above = number >= low if has_low else number > low
    below = number <= high if has_high else number < high
    return above and below and math.isfinite(number)
