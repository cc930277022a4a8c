"""What a machine can do to a run: a lock, no permission, a full disk, a wrong clock, another folder."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from faults.outcome import differences, results
from faults.runs import CONFIG, Run
from test_workflow import clone

pytestmark = pytest.mark.workflow

DATA = "results/faults/datasets/digits/dataset.json"
EXTRACTOR = "results/faults/extractors/tiny_cnn.pt"


def run(folder, *arguments, **options):
    """A run to its end: exit status and what was printed."""
    started = Run(folder, *arguments, **options)
    return started.wait(), started.text()


def nothing_to_do(folder):
    status, text = run(folder, "all", "--dry-run")
    return status == 0 and "Nothing to be done" in text


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A clone in which the fault study has run, and what it made."""
    folder = clone(tmp_path_factory.mktemp("finished") / "clone")
    status, text = run(folder, "all")
    assert status == 0, text
    return folder, results(folder)


def copy_of(finished, target):
    return shutil.copytree(finished[0], target, symlinks=True)


# -- two at once ------------------------------------------------------------------------------------


def test_a_second_snakemake_is_refused_and_one_that_insists_does_no_harm(tmp_path):
    folder = clone(tmp_path / "clone")
    first = Run(folder, EXTRACTOR, halt=("*/extractors/*.pt", "whole"))
    assert first.until(first.halted), first.text()
    status, text = run(folder, EXTRACTOR)
    assert status != 0
    assert "Directory cannot be locked" in text
    assert "--unlock" in text
    assert "Traceback" not in text
    assert run(folder, "--unlock")[0] == 0
    status, text = run(folder, EXTRACTOR)
    assert status == 0, text
    content = (folder / EXTRACTOR).read_bytes()
    first.let_go()
    assert first.wait() == 0, first.text()
    assert (folder / EXTRACTOR).read_bytes() == content
    assert not list((folder / EXTRACTOR).parent.glob(".*"))


# -- nothing can be written -------------------------------------------------------------------------


def obeying():
    """What makes a command obey permissions, also root's."""
    if os.geteuid() != 0:
        return ()
    if not shutil.which("setpriv"):
        pytest.skip("root obeys no permissions, and there is no setpriv")
    without = "-dac_override,-dac_read_search"
    return ("setpriv", f"--bounding-set={without}", f"--inh-caps={without}")


@pytest.mark.parametrize("where", ["results/faults", "."])
def test_a_folder_without_permission_is_named_and_used_when_it_has_it(tmp_path, where):
    folder = clone(tmp_path / "clone")
    assert run(folder, DATA)[0] == 0
    if where == ".":
        shutil.rmtree(folder / ".snakemake")
    folders = [path for path in (folder / where).rglob("*") if path.is_dir()] + [folder / where]
    for path in folders:
        path.chmod(0o555)
    status, text = run(folder, EXTRACTOR, prefix=obeying())
    assert status != 0
    assert "Permission denied" in text
    assert str(folder / ".snakemake" if where == "." else "results/faults/extractors") in text
    for path in folders:
        path.chmod(0o755)
    status, text = run(folder, EXTRACTOR)
    assert status == 0, text


def mounting():
    """A shell in which mounts are nobody else's."""
    shell = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-ec"]
    probe = "mount -t tmpfs none /mnt"
    if not shutil.which("unshare") or subprocess.run([*shell, probe], check=False).returncode:
        pytest.skip("this machine allows no mounts")
    return shell


FULL = """
mkdir -p results/faults
mount -t tmpfs -o size=400k none results/faults
status=0; "$@" || status=$?
echo "the full disk: exit status $status, $(find results -name '.*.????????.*' | wc -l) left"
mount -o remount,size=100m results/faults
"$@"
cp -a results/faults/. saved
"""


def test_a_full_disk_is_named_and_the_same_command_goes_on_when_there_is_room(finished, tmp_path):
    folder = clone(tmp_path / "clone")
    (folder / "saved").mkdir()
    status, text = run(folder, "all", prefix=(*mounting(), FULL, "sh"))
    assert status == 0, text
    assert "the full disk: exit status 1, 0 left" in text
    assert "No space left on device: 'results/faults/" in text
    shutil.copytree(folder / "saved", folder / "results/faults", dirs_exist_ok=True)
    assert differences(folder, finished[1]) == []


# -- no memory --------------------------------------------------------------------------------------

IMPORTED = """
import importlib, re
from uncanny.workflow import fork_server
for module in fork_server.PRELOADED:
    importlib.import_module(module)
print(re.search(r"VmPeak:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""
ROOM = 600 * 2**20  # for a job, beside what it imports
CHECKPOINT = "results/faults/checkpoints/vp/seed-0/epoch-1.pt"


@pytest.mark.skipif(not shutil.which("prlimit"), reason="no prlimit")
def test_a_job_that_memory_does_not_hold_is_named_and_goes_on_when_there_is_more(tmp_path):
    folder = clone(tmp_path / "clone")
    config = folder / "large.yaml"
    large = (folder / CONFIG).read_text().replace("batch_size: 128", "batch_size: 1437")
    config.write_text(large.replace("width: 8, multipliers", "width: 48, multipliers"))
    imported = subprocess.check_output([sys.executable, "-c", IMPORTED], cwd=folder / "scripts")
    limit = ("prlimit", f"--as={int(imported) * 1024 + ROOM}")
    status, text = run(folder, CHECKPOINT, EXTRACTOR, prefix=limit, config="large.yaml")
    assert status != 0
    assert re.search(r"train_model: .*(can't allocate|out of) memory.* \(log: results/", text), text
    assert "Traceback" not in text
    assert (folder / EXTRACTOR).exists()
    assert not list((folder / CHECKPOINT).parent.glob("*"))
    status, text = run(folder, CHECKPOINT, EXTRACTOR, config="large.yaml")
    assert status == 0, text


@pytest.mark.skipif(not shutil.which("prlimit"), reason="no prlimit")
def test_memory_for_no_job_at_all_is_one_line(tmp_path):
    folder = clone(tmp_path / "clone")
    status, text = run(folder, EXTRACTOR, prefix=("prlimit", f"--as={2**30}"))
    assert status != 0
    assert "train_extractor: " in text
    assert "Traceback" not in text
    assert run(folder, EXTRACTOR)[0] == 0


# -- clocks, folders --------------------------------------------------------------------------------


def test_a_clock_that_was_set_back_changes_no_result(finished, tmp_path):
    """What was made first is now the newest: each result is older than what it was made from."""
    folder = copy_of(finished, tmp_path / "clone")
    paths = [path for path in (folder / "results/faults").rglob("*") if path.is_file()]
    times = sorted(path.stat().st_mtime_ns for path in paths)
    for path, time in zip(
        sorted(paths, key=lambda path: path.stat().st_mtime_ns), reversed(times), strict=True
    ):
        os.utime(path, ns=(time, time))
    status, text = run(folder, "all")
    assert status == 0, text
    assert differences(folder, finished[1]) == []
    assert nothing_to_do(folder)


ADOPT = 'find results -newermt now -exec touch -d "$(date)" {} +'  # as docs/trust.md says


def test_a_clock_that_was_a_day_ahead_is_named_and_its_results_are_taken(finished, tmp_path):
    folder = clone(tmp_path / "clone")
    assert run(folder, "results/faults/checkpoints/vp/seed-0/epoch-1.pt")[0] == 0
    for path in (folder / "results/faults").rglob("*"):
        ahead = path.stat().st_mtime_ns + 86_400 * 10**9
        os.utime(path, ns=(ahead, ahead))
    status, text = run(folder, "all")
    assert status != 0
    assert "older modification time" in text
    assert "clock" in text
    subprocess.run(ADOPT, shell=True, cwd=folder, check=True)
    status, text = run(folder, "all")
    assert status == 0, text
    assert "rule prepare_dataset" not in text
    assert differences(folder, finished[1]) == []
    assert nothing_to_do(folder)


def test_a_folder_that_was_moved_has_nothing_to_do(finished, tmp_path):
    folder = copy_of(finished, tmp_path / "somewhere" / "else")
    assert nothing_to_do(folder)


def test_results_in_another_clone_are_taken_as_they_are(finished, tmp_path):
    folder = clone(tmp_path / "clone")
    shutil.copytree(finished[0] / "results/faults", folder / "results/faults")
    assert nothing_to_do(folder)


def test_results_copied_without_their_times_are_adopted(finished, tmp_path):
    folder = clone(tmp_path / "clone")
    target = folder / "results/faults"
    shutil.copytree(finished[0] / "results/faults", target, copy_function=shutil.copyfile)
    status, text = run(folder, "all", "--touch")
    assert status == 0, text
    assert nothing_to_do(folder)
    assert differences(folder, finished[1]) == []


# -- threads ----------------------------------------------------------------------------------------


def test_two_threads_give_the_scores_of_one_to_a_quarter_of_their_error(finished, tmp_path):
    folder = clone(tmp_path / "clone")
    rules = ("train_extractor", "extract_reference", "train_model", "draw_part", "score_samples")
    status, text = run(folder, "all", "--set-threads", *(f"{rule}=2" for rule in rules))
    assert status == 0, text
    result, expected = results(folder), finished[1]
    assert result.keys() == expected.keys()
    for path in (path for path in expected if path.startswith("scores/vp/")):
        for one, two in zip(expected[path]["metrics"], result[path]["metrics"], strict=True):
            assert two["value"] == pytest.approx(one["value"], abs=one["se"] / 4)
