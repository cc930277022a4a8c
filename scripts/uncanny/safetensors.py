"""Weights in the safetensors format: the length of a header, the header in JSON, the numbers.

Read and written here in so few lines that nothing more has to be installed for other people's
models. https://huggingface.co/docs/safetensors
"""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from uncanny import files

DTYPES = {
    **{"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16},
    **{"I64": torch.int64, "I32": torch.int32, "U8": torch.uint8, "BOOL": torch.bool},
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
LARGEST = 100_000_000  # bytes of a header, as the format has it


def load(path: Path | str) -> dict[str, Tensor]:
    """All tensors of a file by name; ValueError that names one which is missing or no such file."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}; expected safetensors") from None
    try:
        return _parsed(content)
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(f"{path}: not a whole file of safetensors ({error})") from None


def _parsed(content: bytes) -> dict[str, Tensor]:
    length = int.from_bytes(content[:8], "little")
    if not 2 <= length <= min(LARGEST, len(content) - 8):
        raise ValueError(f"a header of {length} bytes in {len(content)}")
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    data = memoryview(content)[8 + length :]
    return {name: _tensor(name, entry, data) for name, entry in header.items()}


def _tensor(name: str, entry: Mapping, data: memoryview) -> Tensor:
    (begin, end), dtype = entry["data_offsets"], DTYPES[entry["dtype"]]
    if not 0 <= begin <= end <= len(data):
        raise ValueError(f"{name} at {begin} to {end} of {len(data)} bytes")
    part = bytearray(data[begin:end])
    flat = torch.frombuffer(part, dtype=dtype) if part else torch.empty(0, dtype=dtype)
    return flat.reshape(entry["shape"])


def save(path: Path | str, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors by name, whole or not at all; the same tensors give the same bytes."""
    header, parts, end = {"__metadata__": {"format": "pt"}}, [], 0
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        part = tensor.reshape(-1).view(torch.uint8).numpy().tobytes()
        header[name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape)}
        header[name]["data_offsets"] = [end, end + len(part)]
        parts.append(part)
        end += len(part)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with files.replacing(path) as temporary, temporary.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.writelines(parts)
