"""What makes a page or picture in docs/ stale: what Snakemake would make again, and damage."""

import copy

import pytest
from listed_jobs import jobs_of
from test_configuration import TINY, changed, plan

from uncanny.workflow import published

PICTURES = {f"figures/{name}.png" for name in TINY["figures"]}
PAGES = {"README.md", "tables/claims.md", "tables/table_1.md", "tables/table_2.md"}


def fingerprints(config):
    return published.fingerprints(plan(config), jobs_of(config, digests=True), "code of the page")


@pytest.fixture(scope="module")
def current():
    return fingerprints(TINY)


@pytest.fixture
def folder(tmp_path, current):
    """Published files, recorded."""
    for name in current:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"contents of {name}")
    published.record(tmp_path, current)
    return tmp_path


def test_all_pictures_and_pages_have_a_fingerprint(current):
    assert current.keys() == PICTURES | PAGES
    # A digest that were empty would be the same for all.
    assert len(set(current.values())) == len(current)


def test_the_order_of_keys_and_unused_blocks_change_nothing(current):
    config = {key: copy.deepcopy(TINY[key]) for key in reversed(TINY)}
    config["samplers"] = dict(reversed(TINY["samplers"].items()))
    config["samplers"]["UNUSED"] = {"kind": "heun", "num_steps": 3, "grid": "polynomial"}
    changed = {name for name, digest in fingerprints(config).items() if digest != current[name]}
    assert changed == set()


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (
            ("samplers", "LANG", "steps_per_level"),
            2,
            {"figures/figure_3.png", "figures/figure_6.png"},
        ),
        (("figures", "figure_2", "title"), "KID", {"figures/figure_2.png"}),
        (("tables", "table_1", "title"), "Samplers!", {"tables/table_1.md"}),
        (("claims", "C01", "statement"), "It is worse.", {"tables/claims.md"}),
        (("training", "adam", "lr"), 0.001, PICTURES | PAGES),
    ],
    ids=["sampler", "title", "table", "claim", "training"],
)
def test_a_change_makes_stale_what_depends_on_it(current, folder, path, value, expected):
    result = published.stale(folder, fingerprints(changed(path, value)))
    assert result == dict.fromkeys(expected | {"README.md"}, "made from other code or config")


def test_what_was_just_recorded_is_not_stale(current, folder):
    assert published.stale(folder, current) == {}


def test_pictures_that_were_exchanged_lost_or_left_are_stale(current, folder):
    (folder / "figures/figure_1.png").write_text("another picture")
    (folder / "figures/figure_2.png").unlink()
    (folder / "figures/figure_old.png").touch()
    assert published.stale(folder, current) == {
        "figures/figure_1.png": "changed since it was recorded",
        "figures/figure_2.png": "missing",
        "figures/figure_old.png": "not in the study",
    }


def test_without_a_record_everything_is_stale(current, folder):
    (folder / published.RECORD).unlink()
    assert published.stale(folder, current).keys() == current.keys()


def test_only_files_that_are_there_are_recorded(current, folder):
    (folder / "tables/claims.md").unlink()
    with pytest.raises(ValueError, match=r"tables/claims\.md: no such file; expected make docs"):
        published.record(folder, current)
