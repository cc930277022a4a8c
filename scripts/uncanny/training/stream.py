"""The training images as one endless sequence of batches, on the device where they fit.

The sequence is a function of the data, the seed and the recipe's `shuffle`, wherever images lie:
in the memory of a device, or in a file from which a thread reads them ahead.
"""

import functools

import numpy as np
import torch

from uncanny.datasets import Dataset, to_model
from uncanny.runtime import hardware
from uncanny.runtime.random_streams import generator
from uncanny.training.reading import Ahead, read_rows

RESIDENT = {"cuda"}  # kinds of device that keep the images of a training, as uint8
RESIDENT_SHARE = 0.5  # of its free memory; the rest is for weights and activations
BLOCK_BYTES = 2**20  # consecutive images that `shuffle: blocks` reads together
GROUP_BLOCKS = 256  # blocks whose images are shuffled together
BATCHES_AHEAD, BYTES_AHEAD = 8, 2**28


class Stream:
    """The training images as one endless sequence: pass after pass, each in its own order.

    shuffle: see `order`. Memory of the host holds at most 256 MiB of batches that were read ahead,
    and with `blocks` three groups of 256 MiB.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        seed: int,
        conditional: bool,
        shuffle: str = "images",
    ):
        self.images, self.labels = dataset.train.images, dataset.train.labels
        self.batch_size, self.seed, self.shuffle = batch_size, seed, shuffle
        self.num_classes = dataset.num_classes if conditional else 0
        self._image_bytes = self.images.nbytes // len(self.images)
        self._block = max(1, BLOCK_BYTES // self._image_bytes)  # images of a block
        self._group = GROUP_BLOCKS * self._block  # images of a group
        self._orders: dict[int, torch.Tensor] = {}
        self._kept: dict[str, torch.Tensor] = {}
        self._fits: dict[torch.device, bool] = {}
        depth = max(1, min(BATCHES_AHEAD, BYTES_AHEAD // (batch_size * self._image_bytes)))
        self._batches, self._groups = Ahead(self._read, depth), Ahead(self._read_group, 1)
        self._held: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def __len__(self) -> int:
        return len(self.images)

    def rows(self, step: int, where: torch.device) -> torch.Tensor:
        """Rows of the batch of an update, int64 [B]: a stretch of the sequence, which may cross
        from one pass to the next. The order of a pass is copied to the device once.
        """
        # Positions [first, last) of the sequence; position n is place n mod len of pass n // len.
        first, last = step * self.batch_size, (step + 1) * self.batch_size
        passes = range(first // len(self), (last - 1) // len(self) + 1)
        orders = {p: self._order(p, where) for p in passes}
        self._orders = orders
        ends = ((max(first - p * len(self), 0), last - p * len(self)) for p in passes)
        parts = [orders[p][i:j] for p, (i, j) in zip(passes, ends, strict=True)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _order(self, number: int, where: torch.device) -> torch.Tensor:
        known = self._orders.get(number)
        if known is not None:
            return known
        blocks = (self._block, self._group) if self.shuffle == "blocks" else None
        return order(len(self), self.seed, number, blocks).to(where)

    def batch(self, step: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor | None]:
        """x0 [B, ...] in the model's range and one-hot labels [B, K], or None for an unconditional
        model.
        """
        images, labels = self._taken(step, device)
        x0 = to_model(images)
        if not self.num_classes:
            return x0, None
        return x0, torch.nn.functional.one_hot(labels, self.num_classes).to(x0.dtype)

    def _taken(self, step: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Images of a batch as they are stored, and labels if the model has some, on the device."""
        if self._resident(device):
            rows = self.rows(step, device)
            labels = self._on(device, "labels")[rows] if self.num_classes else None
            return self._on(device, "images")[rows], labels
        if device.type == "cpu" and self.shuffle == "images":
            rows = self.rows(step, device).numpy()
            return torch.from_numpy(self.images[rows]), torch.from_numpy(self.labels[rows])
        # The thread makes no call of CUDA, which a capture of a graph would not allow.
        images, labels = self._batches(step)
        return tuple(hardware.sent(torch.from_numpy(a), device) for a in (images, labels))

    def _resident(self, device: torch.device) -> bool:
        """Whether the images lie on the device, decided once: on an accelerator if half of its free
        memory holds them.
        """
        if device not in self._fits:
            free = hardware.free_memory(device) if device.type in RESIDENT else 0
            self._fits[device] = self.images.nbytes <= RESIDENT_SHARE * free
            if free and not self._fits[device]:
                size = f"{self.images.nbytes / 1e9:.1f} GB of images"
                print(f"{size} are read ahead: {free / 1e9:.1f} GB of the GPU are free", flush=True)
        return self._fits[device]

    def _on(self, device: torch.device, name: str) -> torch.Tensor:
        if name not in self._kept:  # uint8, a quarter of the bytes of float32
            self._kept[name] = torch.from_numpy(np.array(getattr(self, name))).to(device)
        return self._kept[name]

    # --- In the thread that reads ahead ---

    def _read(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels of the batch of an update."""
        rows = self.rows(step, torch.device("cpu")).numpy()
        if self.shuffle == "images":
            return self.images[rows], self.labels[rows]
        # Group of each position of the sequence, counted through all passes
        passes, places = np.divmod(step * self.batch_size + np.arange(len(rows)), len(self))
        groups = passes * -(-len(self) // self._group) + places // self._group
        self._held = {
            g: self._held[g] if g in self._held else self._groups(g) for g in np.unique(groups)
        }
        images = np.empty((len(rows), *self.images.shape[1:]), self.images.dtype)
        for g, (known, stored) in self._held.items():
            here = groups == g
            images[here] = stored[np.searchsorted(known, rows[here])]
        return images, self.labels[rows]

    def _read_group(self, g: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows of a group, ascending, and their images."""
        number, place = divmod(int(g), -(-len(self) // self._group))
        rows = self._order(number, torch.device("cpu"))
        rows = rows[place * self._group : (place + 1) * self._group].sort().values.numpy()
        return rows, read_rows(self.images, rows)


@functools.lru_cache(maxsize=4)
def order(
    count: int, seed: int, number: int, blocks: tuple[int, int] | None = None
) -> torch.Tensor:
    """Order of `count` images in a pass, int64 [count], a function of (seed, pass).

    blocks: None for a permutation of all images (`shuffle: images`). Or the images of a block and
    of a group (`shuffle: blocks`): blocks of consecutive images in random order, then the images of
    each group of blocks in random order. A group is read with one request per block.
    """
    draws = generator(seed, "order", number)
    if blocks is None:
        return torch.randperm(count, generator=draws)
    block, group = blocks
    starts = block * torch.randperm(-(-count // block), generator=draws)
    rows = (starts[:, None] + torch.arange(block)).flatten()
    parts = rows[rows < count].split(group)
    return torch.cat([part[torch.randperm(len(part), generator=draws)] for part in parts])
