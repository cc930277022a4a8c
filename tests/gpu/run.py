"""Everything that a GPU is asked, in one command: python tests/gpu/run.py SECONDS [STAGE ...]

Stages: install what pack.py packed; check every path beside the processor; time training, sampling and
scoring; run the study gpu_check, more epochs as long as there is time; collect. Each has a limit and
fails alone. Results lie in $OUT (default results/gpu): log lines, check.tar.gz, speed.json, study.tar.gz.
"""

import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

try:
    BEGAN, SECONDS = time.time(), float(sys.argv[1])
except (IndexError, ValueError):
    sys.exit(f"{sys.argv[1:]}: expected seconds, and names of stages")
HERE, ROOT, KIT = Path(__file__).resolve().parent, Path.cwd(), Path(".kit")
OUT = Path(os.environ.get("OUT", "results/gpu")).resolve()
SITE = Path(os.environ.get("KIT_SITE", "/tmp/site"))
STUDY, TINY = HERE / "gpu_check.yaml", ROOT / "tests/tiny.yaml"
SHARES = {"check": 0.15, "speed": 0.30}  # of all the time; the study has the rest
MILESTONES = ("[1,2]", "[1,2,3,5]", "[1,2,3,5,8,12]")
CORES = os.environ.get("KIT_CORES", str(os.cpu_count()))
FOLDERS = (SITE, ROOT / "scripts", ROOT / "tests", ROOT / "tests/benchmarks")
SEARCHED = os.pathsep.join(map(str, FOLDERS))
ENV = {"PYTHONPATH": SEARCHED, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}


def left() -> float:
    return SECONDS - (time.time() - BEGAN)


def say(text: str) -> None:
    print(f"[{time.time() - BEGAN:5.0f} s] {text}", flush=True)


def start(name: str, *command) -> tuple:
    log = (OUT / f"{name}.log").open("a")
    command = [sys.executable, *map(str, command)]
    how = {"stdout": log, "stderr": subprocess.STDOUT, "env": os.environ | ENV}
    return name, subprocess.Popen(command, start_new_session=True, **how)


def snakemake(name: str, config: Path, jobs: int, *targets, more=()) -> tuple:
    """A run of the workflow in which so many jobs share the GPU."""
    options = ["--cores", CORES, "--resources", f"gpu={jobs}", "--quiet", "rules"]
    return start(name, "-m", "snakemake", *options, "--configfile", config, *more, "--", *targets)


def finish(seconds: float, *jobs) -> None:
    """Wait for jobs until the time is up, then end what is left."""
    until = time.time() + max(1.0, seconds)
    for name, job in jobs:
        try:
            job.wait(max(0.5, until - time.time()))
            say(f"{name}: exit {job.returncode}")
        except subprocess.TimeoutExpired:
            os.killpg(job.pid, 15)
            try:
                job.wait(8)
            except subprocess.TimeoutExpired:
                os.killpg(job.pid, 9)
            say(f"{name}: time is up")


def install() -> None:
    wheels = sorted((KIT / "wheels").glob("*.whl"))
    if wheels and not SITE.exists():
        options = ["--quiet", "--no-index", "--no-deps", "--no-compile", "--no-cache-dir"]
        name, job = start("install", "-m", "pip", "install", *options, "--target", SITE, *wheels)
        finish(90, (name, job))
    packed, zipped = KIT / "images.bin", ROOT / "data/cifar10-images.zip"
    if packed.exists() and not zipped.exists():
        import images  # of this folder

        zipped.parent.mkdir(exist_ok=True)
        say(f"{images.unpack(packed, zipped)} images")


def check() -> None:
    shards = 4
    jobs = [
        start(f"check-{i}", HERE / "check.py", f"{i}/{shards}", OUT / "check")
        for i in range(shards)
    ]
    jobs.append(start("check-processes", HERE / "check.py", "processes", OUT / "check"))
    jobs.append(snakemake("tiny", TINY, 4, "all"))
    features = "results/gpu_check/features/cifar10_cnn/cifar10-train.npz"
    if study in STAGES:
        jobs.append(snakemake("data", STUDY, 2, features))
    finish(SHARES["check"] * SECONDS, *jobs)
    rows = [
        row
        for path in (OUT / "check").glob("*.json")
        for row in json.loads(path.read_text())["rows"]
    ]
    bad = [row for row in rows if row["status"] != "ok"]
    say(f"paths: {len(rows) - len(bad)} ok, {len(bad)} not")
    missing = shards + 1 - len(list((OUT / "check").glob("*.json")))
    failed.extend(row["path"] for row in bad)
    failed.extend(["checks that were not finished"] * (missing > 0))
    for row in bad:
        print(row["status"], row["path"], row.get("gaps", ""), row.get("error", ""), flush=True)
    for row in rows:
        if "result" in row:
            print(row["path"], row["result"], flush=True)


def speed() -> None:
    limit = SHARES["speed"] * SECONDS
    finish(limit, start("speed", HERE / "speed.py", limit - 8, OUT))
    text = (OUT / "speed.log").read_text()
    print(text[text.find("\n| training") :] if "\n| training" in text else text[-2500:], flush=True)


def study() -> None:
    """More and more epochs of the same study: what is trained is not trained again."""
    for milestones in MILESTONES:
        if left() < 45:
            break
        say(f"study: epochs {milestones}, {left():.0f} s left")
        more = ["--config", f"milestones={milestones}"]
        finish(left() - 25, snakemake("study", STUDY, 6, "all", more=more))
        archive("gpu_check", OUT / "study.tar.gz")


def archive(name: str, target: Path) -> None:
    """What figures are drawn from, the figures, and what jobs wrote; no checkpoints, no images."""
    folder = ROOT / "results" / name
    if not folder.exists():
        return
    with tarfile.open(target, "w:gz") as out:
        for part in ("scores", "figures", "tables", "benchmarks", "logs", "timings", "extractors"):
            for path in (folder / part).rglob("*"):
                if path.is_file() and path.suffix not in (".pt", ".npz"):
                    out.add(path, f"{name}/{path.relative_to(folder)}")
        for history in (folder / "checkpoints").rglob("*.json"):
            out.add(history, f"{name}/{history.relative_to(folder)}")


def collect() -> None:
    archive("gpu_check", OUT / "study.tar.gz")
    archive("tiny", OUT / "tiny.tar.gz")
    files = [*OUT.glob("*.log"), *(OUT / "check").glob("*.json")]
    with tarfile.open(OUT / "check.tar.gz", "w:gz") as out:
        for path in files:
            out.add(path, path.name)
    for path in files:
        path.unlink()
    if (OUT / "check").exists():
        (OUT / "check").rmdir()


STAGES = [install, check, speed, study, collect]
failed: list[str] = []


def machine() -> str:
    """One line about what is there; ends where nothing could run."""
    code = "import torch; print(torch.__version__, torch.cuda.is_available())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{sys.executable} has no torch; expected a Python with PyTorch")
    version, usable = done.stdout.split()
    lines = [f"torch {version}, Python {sys.version.split()[0]}"]
    if usable != "True":
        lines.append("no GPU: the processor is compared with itself, and speeds are its own")
    if not (KIT / "wheels").exists():
        lines.append("no .kit/ (make gpu-pack): packages are taken to be there")
    if not (ROOT / "data/cifar10-images.zip").exists() and not (KIT / "images.bin").exists():
        lines.append("no images (make gpu-pack IMAGES=file.zip): the study gpu_check is left out")
        STAGES.remove(study)
    return "; ".join(lines)


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    say(machine())
    asked = sys.argv[2:] or [stage.__name__ for stage in STAGES]
    shown = "nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader; nproc; python3 -V"
    print(subprocess.run(shown, shell=True, capture_output=True, text=True).stdout, flush=True)
    for stage in STAGES:
        if stage.__name__ not in asked:
            continue
        try:
            stage()
        except Exception as error:
            say(f"{stage.__name__}: {type(error).__name__}: {error}")
            failed.append(stage.__name__)
        say(f"{stage.__name__} done")
    if failed:
        sys.exit(f"not right: {', '.join(failed)}")


if __name__ == "__main__":
    main()
