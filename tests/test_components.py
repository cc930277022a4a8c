"""Components by name, and their signatures as the schema of their config blocks."""

import pytest

from uncanny.registry import components


def test_a_component_is_loaded_by_family_and_kind():
    assert components.load("samplers", "heun").__name__ == "heun"
    assert components.load("schedules", "cosine").__name__ == "cosine"


def test_helpers_beside_components_are_not_components():
    assert "steps" not in components.kinds("samplers")
    assert "ddim_times" not in components.kinds("schedules")


def test_unknown_kind_names_the_nearest():
    with pytest.raises(ValueError, match=r"samplers.X.kind: 'huen' .* did you mean 'heun'"):
        components.resolve("samplers", "huen", {}, "samplers.X")


def test_options_are_completed_and_sorted():
    options = components.resolve("schedules", "sigmoid", {"tau": 0.7}, "schedules.s")
    assert options["tau"] == 0.7
    assert {"start", "end", "tau"} <= set(options)
    assert list(options) == sorted(options)


def test_unknown_option_names_key_and_nearest():
    with pytest.raises(
        ValueError, match=r"samplers.S.S_chrun: unknown option of 'heun'; did you mean 'S_churn'"
    ):
        components.resolve("samplers", "heun", {"S_chrun": 1.0}, "samplers.S")


def test_missing_option_without_default():
    with pytest.raises(
        ValueError,
        match=r"processes.p.preconditioning: missing; expected one of vp, sub_vp, ve, edm",
    ):
        components.resolve("processes", "continuous", {}, "processes.p")


def test_number_read_as_text_is_explained():
    with pytest.raises(
        ValueError, match=r"schedules.s.tau: '1e-1' is not float .*YAML reads 1e-4 as text"
    ):
        components.resolve("schedules", "sigmoid", {"tau": "1e-1"}, "schedules.s")


def test_arguments_of_the_library_cannot_be_set():
    with pytest.raises(ValueError, match="noise: unknown option"):
        components.resolve("samplers", "heun", {"noise": 1}, "samplers.S")


def test_every_component_has_readable_options():
    for family in components.FIRST_ARGUMENTS:
        for kind in components.kinds(family):
            for name, (annotation, _) in components.signature(family, kind).options.items():
                assert annotation is not object, f"{family}.{kind}: {name} has no type"
