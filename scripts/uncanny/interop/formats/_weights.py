"""Files of weights that others wrote, and whether their tensors are those of a network."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from uncanny.runtime import checkpoints, files

SHOWN = 3  # keys of each kind in a message


def load(path: Path | str) -> dict[str, Tensor]:
    """All tensors of a file of safetensors by name, mapped into memory and read when they are used.

    Raises ValueError that names a file which is missing, damaged or of another kind.
    """
    check_file(path)
    try:
        return load_file(path)
    except Exception as error:  # the library has errors of its own for each kind of damage
        raise ValueError(_no_safetensors(path, error)) from None


def metadata(path: Path | str) -> dict[str, str]:
    """The texts that a file of safetensors carries beside its tensors; ValueError as for `load`."""
    check_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except Exception as error:  # the same
        raise ValueError(_no_safetensors(path, error)) from None


def check_file(path: Path | str) -> None:
    """ValueError where there is no file, with what is there."""
    if not Path(path).is_file():
        found = "a folder" if Path(path).is_dir() else "no such file"
        raise ValueError(f"{path}: {found}; expected a file of weights")


def _no_safetensors(path: Path | str, error: Exception) -> str:
    return f"{path}: {files.describe(path)}; expected a whole file of safetensors ({error})"


def load_sharded(index: Path) -> dict[str, Tensor]:
    """All tensors of the files that an index of diffusers names; ValueError that names the file
    which is missing, damaged, or has other tensors than the index says.
    """
    places = files.read_settings(index).get("weight_map")
    if not isinstance(places, dict) or not all(_is_name(file) for file in places.values()):
        raise ValueError(f"{index}: no weight_map; expected one, from tensors to files beside it")
    found = {}
    for name in sorted(set(places.values())):
        tensors = load(index.parent / name)
        known = {key for key, file in places.items() if file == name}
        if wrong := known ^ set(tensors):
            kind = "not in the file" if min(wrong) in known else "not in the index"
            raise ValueError(f"{index.parent / name}: unlike {index.name}: {min(wrong)} is {kind}")
        found |= tensors
    return found


def _is_name(file: object) -> bool:
    return isinstance(file, str) and Path(file).name == file


def load_pickled(path: Path) -> dict[str, Tensor]:
    """Tensors that torch.save wrote, without running code; ValueError as for `load`."""
    found = checkpoints.read_tensors(path, "weights as torch.save writes them")
    if not isinstance(found, dict) or not all(isinstance(v, Tensor) for v in found.values()):
        raise ValueError(f"{path}: no table of tensors; expected one from names to tensors")
    return found


# ---- Their tensors and ours -----------------------------------------------------------------


def same_shape(value: Tensor, like: Tensor) -> bool:
    """Whether two tensors have the same axes, but for those of length 1."""
    return [n for n in value.shape if n > 1] == [n for n in like.shape if n > 1]


def sized(tensors: Mapping[str, Tensor]) -> list[str]:
    """Names with shapes."""
    return [f"{name} {list(tensor.shape)}" for name, tensor in tensors.items()]


def check_fit(
    path: Path | str, *, missing: Iterable[str], extra: Iterable[str], unlike: Iterable[str]
) -> None:
    """One ValueError with the tensors that a network lacks, has no place for, or has in another
    shape: a few of each, and how many there are.
    """
    kinds = {"missing": missing, "without a place": extra, "of another shape": unlike}
    found = [f"{words}: {listed(names)}" for words, names in kinds.items() if names]
    if found:
        raise ValueError(f"{path}: not the weights of the study's network; {'; '.join(found)}")


def listed(names: Iterable[str]) -> str:
    """The first few, and the number of the others."""
    names = sorted(names)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
