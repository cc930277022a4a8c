"""Read weight files, and check that their tensors are those of a network."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from uncanny.interop.formats import _settings
from uncanny.runtime import checkpoints, files


def load(path: Path | str) -> dict[str, Tensor]:
    """All tensors of a safetensors file by name, memory-mapped.

    Raises ValueError that names a file which is missing, damaged or of another kind.
    """
    check_file(path)
    try:
        return load_file(path)
    except Exception as error:  # safetensors has its own error types
        raise ValueError(_no_safetensors(path, error)) from None


def metadata(path: Path | str) -> dict[str, str]:
    """Metadata of a safetensors file. Raises ValueError as `load` does."""
    check_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except Exception as error:  # as above
        raise ValueError(_no_safetensors(path, error)) from None


def check_file(path: Path | str) -> None:
    """Raise ValueError if there is no such file."""
    if not Path(path).is_file():
        got = "a folder" if Path(path).is_dir() else "no such file"
        raise ValueError(f"{path}: {got}; expected a file of weights")


def _no_safetensors(path: Path | str, error: Exception) -> str:
    return f"{path}: {files.describe(path)}; expected a complete safetensors file ({error})"


def load_sharded(index: Path) -> dict[str, Tensor]:
    """All tensors of the files that a diffusers index lists.

    Raises ValueError that names the file which is missing, damaged, or has other tensors than the
    index lists.
    """
    weight_map = files.read_settings(index).get("weight_map")
    if not isinstance(weight_map, dict) or not all(_is_name(file) for file in weight_map.values()):
        raise ValueError(
            f"{index}: no weight_map; expected one from names of tensors to files in its folder"
        )
    tensors = {}
    for name in sorted(set(weight_map.values())):
        shard = load(index.parent / name)
        listed = {key for key, file in weight_map.items() if file == name}
        if different := listed ^ set(shard):
            kind = "not in the file" if min(different) in listed else "not in the index"
            got = f"{min(different)} is {kind}"
            raise ValueError(f"{index.parent / name}: does not match {index.name}: {got}")
        tensors |= shard
    return tensors


def _is_name(file: object) -> bool:
    return isinstance(file, str) and Path(file).name == file


def load_pickled(path: Path) -> dict[str, Tensor]:
    """Tensors of a torch.save file, without running pickled code. Raises ValueError as `load`."""
    tensors = checkpoints.read_tensors(path, "weights written by torch.save")
    if not isinstance(tensors, dict) or not all(isinstance(v, Tensor) for v in tensors.values()):
        raise ValueError(f"{path}: not a dict of tensors; expected names → tensors")
    return tensors


# ---- Comparing tensors ----------------------------------------------------------------------


def same_shape(value: Tensor, like: Tensor) -> bool:
    """Whether two tensors have the same shape when axes of length 1 are ignored."""
    return [n for n in value.shape if n > 1] == [n for n in like.shape if n > 1]


def sized(tensors: Mapping[str, Tensor]) -> list[str]:
    """Names with shapes."""
    return [f"{name} {list(tensor.shape)}" for name, tensor in tensors.items()]


def check_fit(
    path: Path | str, *, missing: Iterable[str], extra: Iterable[str], unlike: Iterable[str]
) -> None:
    """Raise one ValueError for tensors that are missing, unexpected or of another shape, with the
    first few of each and their number.
    """
    kinds = {"missing": missing, "unexpected": extra, "of another shape": unlike}
    problems = [f"{kind}: {_settings.listed(names)}" for kind, names in kinds.items() if names]
    if problems:
        raise ValueError(f"{path}: not the weights of the study's network; {'; '.join(problems)}")
