"""Pack what a machine with a GPU and no network lacks into .kit/: wheels, and images if there are any.

PYTHONPATH=tests python tests/gpu/pack.py [IMAGES.zip]; a PyTorch image of Python 3.12 is expected there, with the
packages of PROVIDED.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

from gpu import images

HERE, KIT = Path(__file__).resolve().parent, Path(".kit")
PROVIDED = {"torch", "torchvision", "numpy", "scipy", "scikit-learn", "threadpoolctl", "pandas"}
PROVIDED |= {"matplotlib", "seaborn", "jinja2", "pygments", "safetensors"}
NOT_NEEDED = {"snakemake-executor-plugin-slurm"}
SOURCE_ONLY = "connection-pool"  # pure Python, published without a wheel
GLIBC = ("2_28", "2_27", "2_17", "2_24", "2_31", "2_34", "2_35")
PLATFORMS = [f"manylinux_{version}_x86_64" for version in GLIBC]
PLATFORMS += ["manylinux2014_x86_64", "manylinux1_x86_64"]


def pins() -> list[str]:
    return (HERE / "wheels.txt").read_text().split()


def download(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    binary = [pin for pin in pins() if not pin.startswith(SOURCE_ONLY)]
    target = ["--python-version", "3.12", "--implementation", "cp", "--only-binary=:all:"]
    target += [option for platform in PLATFORMS for option in ("--platform", platform)]
    subprocess.run([*pip, "download", "--no-deps", "-d", folder, *target, *binary], check=True)
    source = [pin for pin in pins() if pin.startswith(SOURCE_ONLY)]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", folder, *source], check=True)


def without_solvers(wheel: Path) -> None:
    """Take the solvers' programs (16 MB) out of pulp: the workflow's scheduler is greedy."""
    with zipfile.ZipFile(wheel) as file:
        names = [n for n in file.namelist() if "/solverdir/" not in n or n.endswith(".py")]
        kept = {name: file.read(name) for name in names}
    record = next(name for name in kept if name.endswith("/RECORD"))
    lines = kept[record].splitlines(keepends=True)
    kept[record] = b"".join(line for line in lines if line.split(b",")[0].decode() in kept)
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in kept.items():
            file.writestr(name, data)


def main() -> None:
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    if source and not source.is_file():
        sys.exit(f"{source}: no such file; expected a zip of JPEG files")
    wheels = KIT / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    download(wheels)
    without_solvers(next(wheels.glob("pulp-*.whl")))
    if source:
        print(images.pack(source, KIT / "images.bin"), "images")
    else:
        print("no images (IMAGES=file.zip): the study gpu_check will be left out")
    size = sum(path.stat().st_size for path in KIT.rglob("*") if path.is_file())
    print(f"{len(list(wheels.iterdir()))} wheels; {KIT}/ has {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
