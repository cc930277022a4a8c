"""A CUDA device that is not there: its tensors say `cuda:0` and hold their numbers on the processor.

Inside `with pretended() as log:` everything computes real values. An operation that mixes devices, or
draws on the device from a generator of the processor, raises Mixed, as CUDA would refuse it. What
would make the host wait for the device (copies, .item(), masks as indices, checks of linear algebra)
is counted by the place in the library that asked for it: `log.waits`.
"""

import collections
import contextlib
import sys
import unittest.mock as mock
from typing import ClassVar

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

CUDA, CPU = torch.device("cuda:0"), torch.device("cpu")
LIBRARY = "/scripts/uncanny/"
INDEXED = {"index", "index_put_", "_index_put_impl_", "index_put", "_unsafe_index"}
BY_LIST = {"index_fill_", "index_fill", "index_select"}
NO_NUMBERS = {"cat", "stack", "bmm", "mm", "addmm", "baddbmm", "gather", "scatter", "linear"}
NO_NUMBERS |= {
    "convolution"
}  # elsewhere a tensor without axes of the processor is read as a number
WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "unique_dim", "equal"}
WAITS |= {"unique_consecutive", "_linalg_check_errors", "is_nonzero", "linalg_eigh", "allclose"}
WAITS |= {"_linalg_eigh", "linalg_eigvals", "bincount", "linalg_lstsq", "_assert_async"}


class Mixed(RuntimeError):
    """Tensors or generators of different devices met."""


class Log:
    """waits: Counter of (what, place); kernels: Counter of operations that the device ran."""

    def __init__(self):
        self.waits, self.kernels = collections.Counter(), collections.Counter()

    def wait(self, what: str) -> None:
        self.waits[what, _place()] += 1


_log = Log()


def _place() -> str:
    """The innermost two lines of the library that are being run."""
    frame, lines = sys._getframe(2), []
    while frame is not None and len(lines) < 2:
        name = frame.f_code.co_filename
        if LIBRARY in name:
            lines.append(f"{name.split(LIBRARY)[1]}:{frame.f_lineno}")
        frame = frame.f_back
    return " < ".join(lines) or "elsewhere"


# --- Tensors -------------------------------------------------------------------------------------


class Pretended(torch.Tensor):
    """A tensor on the pretended device; `inner` holds its numbers.

    C++ takes it for one of the processor (autograd would ask a driver for a stream); Python sees
    the device.
    """

    device = property(lambda self: CUDA)
    is_cuda = property(lambda self: True)
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner):
        layout = {"strides": inner.stride(), "storage_offset": inner.storage_offset()}
        layout |= {"dtype": inner.dtype, "layout": inner.layout, "device": "cpu"}
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, **layout)

    def __init__(self, inner):
        self.inner = inner

    def __repr__(self):
        return f"Pretended({self.inner!r})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _dispatch(func, args, kwargs or {})

    def to(self, *args, **kwargs):
        if args and isinstance(args[0], torch.Tensor):
            return self.to(args[0].device, args[0].dtype, *args[1:], **kwargs)
        kwargs.pop("copy", None)
        device, dtype, _, _ = torch._C._nn._parse_to(*args, **kwargs)
        if device is not None and device.type == "cpu":
            _log.wait("to the processor")
            inner = self.detach().inner
            return inner.to(dtype) if dtype else inner.clone()
        return torch.Tensor.to(self, dtype) if dtype is not None else self

    def cpu(self):
        return self.to("cpu")

    def tolist(self):
        return self.to("cpu").tolist()

    def numpy(self, **_):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def __array__(self, *_, **__):
        return self.numpy()

    def gather(self, dim, index):
        if not self.requires_grad:
            return torch.Tensor.gather(self, dim, index)
        # Its backward pass makes zeros where C++ takes the tensor to be: the same, without it.
        return (self * _one_hot(index[:, 0], self.shape[1]).to(self.dtype)).sum(dim, keepdim=True)

    def __deepcopy__(self, memo):
        if id(self) not in memo:
            memo[id(self)] = self.detach().clone().requires_grad_(self.requires_grad)
        return memo[id(self)]

    def __reduce_ex__(self, protocol):
        return self.to("cpu").__reduce_ex__(protocol)


def numbers(tensor: torch.Tensor) -> torch.Tensor:
    """What a tensor holds, wherever it is; nothing is counted."""
    return tensor.inner if isinstance(tensor, Pretended) else tensor


class _Generator(torch.Generator):
    """A generator of the processor that says what it was asked for."""

    devices: ClassVar = {}  # device asked for, by address: operations are handed another wrapper
    kept: ClassVar = []

    def __new__(cls, device="cpu"):
        made = super().__new__(cls)
        made.asked = CPU if torch.device(device).type == "cpu" else CUDA
        cls.devices[made._cdata] = made.asked
        cls.kept.append(made)
        return made

    def __init__(self, device="cpu"):
        pass

    @property
    def device(self):
        return self.asked

    def manual_seed(self, seed):
        super().manual_seed(seed)
        return self


# --- Operations ----------------------------------------------------------------------------------


def _dispatch(func, args, kwargs):
    """Run an operation on the numbers; refuse what CUDA would refuse, count what it would wait for."""
    name = func._schema.name.split("::")[1]
    flat, spec = tree_flatten((args, kwargs))
    tensors = [value for value in flat if isinstance(value, torch.Tensor)]
    on, off = ([t for t in tensors if isinstance(t, Pretended) == here] for here in (True, False))
    asked = None if kwargs.get("device") is None else torch.device(kwargs["device"]).type
    if name == "_to_copy" and on:
        asked = None  # Python's own way to the processor is Pretended.to
    target = CUDA if asked == "cuda" or (on and asked != "cpu") else CPU
    _check_generator(func, kwargs.get("generator"), target)
    _count_copies(name, args, asked, not kwargs.get("non_blocking"))
    _check_devices(func, name, args, on, off)
    if name in WAITS and on:
        _log.wait(name)
    if target == CUDA:
        _log.kernels[name] += 1
    inner_args, inner_kwargs = tree_unflatten([_inner(value) for value in flat], spec)
    with torch._C._DisableTorchDispatch(), _disable_current_modes():
        result = func(*inner_args, **_on_the_processor(inner_kwargs))
    if name == "_to_copy" and result is inner_args[0]:
        result = result.clone()
    if func._schema.is_mutable and "batch_norm" not in name:
        return _changed(func, name, args, kwargs, result, target)
    return _wrapped(result) if target == CUDA else result


def _inner(value):
    if isinstance(value, Pretended):
        return value.inner
    return CPU if isinstance(value, torch.device) else value


def _on_the_processor(kwargs: dict) -> dict:
    replaced = {"device": CPU, "pin_memory": False, "non_blocking": False}
    return kwargs | {k: v for k, v in replaced.items() if kwargs.get(k)}


def _wrapped(result):
    def wrap(value):
        plain = isinstance(value, torch.Tensor) and not isinstance(value, Pretended)
        return Pretended(value) if plain else value

    return tree_map(wrap, result)


def _changed(func, name: str, args, kwargs, result, target):
    """What an operation that changes its arguments returns: the arguments themselves."""
    if not func._schema.returns:
        return None
    if name.endswith("_") and not isinstance(args[0], list):
        return args[0]
    if name.endswith("_") or "out" in kwargs:
        return kwargs.get("out")
    return _wrapped(result) if target == CUDA else result


def _check_generator(func, generator, target: torch.device) -> None:
    if generator is None:
        return
    result = _Generator.devices.get(generator._cdata, CPU)
    if result.type != target.type:
        raise Mixed(f"{func}: expected a {target.type} generator, found one of {result.type}")


def _count_copies(name: str, args, asked: str | None, blocking: bool) -> None:
    if name == "_to_copy" and asked == "cuda":
        _log.wait("sent to the device" if blocking is False else "to the device")
    if name == "copy_" and isinstance(args[0], Pretended) != isinstance(args[1], Pretended):
        _log.wait("to the device" if isinstance(args[0], Pretended) else "to the processor")


def _check_devices(func, name: str, args, on: list, off: list) -> None:
    if name in INDEXED:
        return _check_indices(func, args[0], [index for index in args[1] if index is not None])
    if name in BY_LIST and isinstance(args[0], Pretended) and off:
        return _log.wait("list as index")
    if name in ("_to_copy", "copy_", "_copy_from") or not (on and off):
        return None
    if any(t.ndim for t in off) or name in NO_NUMBERS:
        shapes = [tuple(t.shape) for t in off]
        raise Mixed(f"{func}: expected all tensors on one device; found cuda:0, and cpu {shapes}")
    return None


def _check_indices(func, base, indices: list) -> None:
    for index in indices:
        if not isinstance(base, Pretended) and isinstance(index, Pretended):
            raise Mixed(f"{func}: a tensor of the processor has indices on cuda:0")
        if not isinstance(base, Pretended):
            continue
        if not isinstance(index, Pretended) and index.ndim:
            _log.wait("indices to the device")
        if index.dtype in (torch.bool, torch.uint8):
            _log.wait("mask as index")


class _Mode(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _dispatch(func, args, kwargs or {})


# --- The device ----------------------------------------------------------------------------------


def _attention(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, **_):
    scale = scale or q.shape[-1] ** -0.5
    return torch.softmax(q @ k.transpose(-2, -1) * scale, dim=-1) @ v


def _one_hot(labels, count):
    return (labels[..., None] == torch.arange(count, device=labels.device)).long()


def _through_the_processor(make):
    """torch.as_tensor, torch.tensor: what is no tensor yet is made there first."""

    def made(data, *, dtype=None, device=None, **more):
        here = device is None or torch.device(device).type == "cpu"
        if isinstance(data, torch.Tensor) or here:
            return make(data, dtype=dtype, device=device, **more)
        return make(data, dtype=dtype, **more).to(CUDA)

    return made


def _patches() -> list:
    state = torch.zeros(16, dtype=torch.uint8)
    cuda = {
        "_lazy_init": lambda: None,
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "default_generators": (_Generator("cuda"),),
        "get_device_name": lambda *_: "pretended",
        "get_device_capability": lambda *_: (8, 0),
        "max_memory_allocated": lambda *_: 0,
        "mem_get_info": lambda *_: (2**34, 2**34),
        "synchronize": lambda *_: None,
        "manual_seed_all": lambda *_: None,
        "get_rng_state": lambda *_: state,
        "set_rng_state": lambda *_: None,
    }
    made = {
        "as_tensor": _through_the_processor(torch.as_tensor),
        "tensor": _through_the_processor(torch.tensor),
        "Generator": _Generator,
    }
    functional = {"scaled_dot_product_attention": _attention, "one_hot": _one_hot}
    optimizer = {"_accelerator_graph_capture_health_check": lambda self: None}
    where = {torch.cuda: cuda, torch: made, torch.nn.functional: functional}
    where |= {torch.optim.Optimizer: optimizer, torch.Tensor: {"pin_memory": lambda self: self}}
    return [
        mock.patch.object(at, name, new) for at, new in where.items() for name, new in new.items()
    ]


@contextlib.contextmanager
def pretended():
    """One CUDA device for what is inside; gives the Log of what happens."""
    global _log
    _log = Log()
    overwrite = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        with contextlib.ExitStack() as stack:
            for patch in _patches():
                stack.enter_context(patch)
            stack.enter_context(_Mode())
            yield _log
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(overwrite)


@contextlib.contextmanager
def suspended():
    """What is inside runs on the processor and is not counted."""
    global _log
    kept, _log = _log, Log()
    try:
        with _disable_current_modes():
            yield
    finally:
        _log = kept
