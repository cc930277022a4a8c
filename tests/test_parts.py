"""Images drawn by several jobs: the same as those of one."""

import numpy as np
import pytest
from resolved import sampler as resolved
from test_guidance import G1, MODEL, paths  # noqa: F401

from uncanny.runtime import files
from uncanny.sampling import job, shards
from uncanny.sampling.sample_files import load_images

IMAGES = 90


def drawn(paths, folder, first, number, guidance):  # noqa: F811
    samples = folder / f"{first}-{number}.npz"
    job.run(
        checkpoint=paths["model"], identity=MODEL, seed=0, draw=0, first=first, num_images=number,
        sampler=resolved("discrete", {"kind": "ancestral", "num_steps": 6}), guidance=guidance,
        classifiers={"noisy": paths["noisy"]} if guidance else {}, samples=samples,
        record=samples.with_suffix(".json"), threads=1,
    )  # fmt: skip
    return samples


def gathered(sets, folder):
    shards.gather(
        parts=sets, records=[p.with_suffix(".json") for p in sets],
        samples=folder / "all.npz", record=folder / "all.json",
    )  # fmt: skip
    return load_images(folder / "all.npz"), files.read_json(folder / "all.json")


@pytest.mark.parametrize("guidance", [None, G1])
@pytest.mark.parametrize("size", [25, 80])
def test_parts_make_the_whole(paths, tmp_path, guidance, size):  # noqa: F811
    whole = drawn(paths, tmp_path, 0, IMAGES, guidance)
    sets = [
        drawn(paths, tmp_path, first, min(size, IMAGES - first), guidance)
        for first in range(0, IMAGES, size)
    ]
    (images, labels), record = gathered(sets, tmp_path)
    expected, names = load_images(whole)
    assert np.abs(images.astype(int) - expected).max() <= 1
    assert (images == expected).mean() > 0.999
    assert labels.tolist() == names.tolist()
    one = files.read_json(whole.with_suffix(".json"))
    timing, deciles = record.pop("timing"), record.pop("guidance_deciles", [])
    assert timing.keys() == one["timing"].keys()
    for entry, same in zip(deciles, one.pop("guidance_deciles", []), strict=True):
        assert entry.pop("t") == same.pop("t")
        assert entry == pytest.approx(same, rel=1e-4)
    assert record | {"timing": 0} == one | {"timing": 0}


def test_parts_that_do_not_follow_are_refused(paths, tmp_path):  # noqa: F811
    sets = [drawn(paths, tmp_path, first, 10, None) for first in (0, 20)]
    with pytest.raises(ValueError, match=r"20-10\.json: starts with image seed 20, expected 10"):
        gathered(sets, tmp_path)


def test_parts_of_another_walk_are_refused(paths, tmp_path):  # noqa: F811
    sets = [drawn(paths, tmp_path, first, 10, None) for first in (0, 10)]
    record = sets[1].with_suffix(".json")
    changed = files.read_json(record)
    changed["sampler"]["init_sampling"]["num_steps"] = 7
    files.write_json(record, changed)
    with pytest.raises(ValueError, match=r"10-10\.json: sampler is .*'num_steps': 7"):
        gathered(sets, tmp_path)


def test_a_part_that_diverged_marks_the_whole(paths, tmp_path):  # noqa: F811
    sets = [drawn(paths, tmp_path, first, 10, None) for first in (0, 10)]
    record = sets[1].with_suffix(".json")
    files.write_json(record, files.read_json(record) | {"status": "diverged", "reason": "lost"})
    (images, labels), joined = gathered(sets, tmp_path)
    assert (len(images), len(labels)) == (0, 0)
    assert (joined["status"], joined["reason"], joined["num_images"]) == ("diverged", "lost", 20)
