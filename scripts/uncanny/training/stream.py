"""The training images as one endless sequence of batches, on the device where they fit."""

import numpy as np
import torch

from uncanny.datasets import Dataset, to_model
from uncanny.runtime.random_streams import generator

RESIDENT = {"cuda"}  # kinds of device that keep the images of a training, as uint8
RESIDENT_BYTES = 2**33


class Stream:
    """The training images as one endless sequence: pass after pass, each in its own order."""

    def __init__(self, dataset: Dataset, batch_size: int, seed: int, conditional: bool):
        self.images, self.labels = dataset.train.images, dataset.train.labels
        self.batch_size, self.seed = batch_size, seed
        self.num_classes = dataset.num_classes if conditional else 0
        self._orders: dict[int, torch.Tensor] = {}
        self._kept: dict[str, torch.Tensor] = {}

    def __len__(self) -> int:
        return len(self.images)

    def rows(self, step: int, where: torch.device) -> torch.Tensor:
        """Rows of the batch of an update, int64 [B]: a stretch of the sequence, which may cross
        from one pass to the next. The order of a pass is copied to the device once.
        """
        # Positions [first, last) of the sequence; position n is place n mod len of pass n // len.
        first, last = step * self.batch_size, (step + 1) * self.batch_size
        passes = range(first // len(self), (last - 1) // len(self) + 1)
        self._orders = {p: self._order(p, where) for p in passes}
        ends = ((max(first - p * len(self), 0), last - p * len(self)) for p in passes)
        parts = [self._orders[p][i:j] for p, (i, j) in zip(passes, ends, strict=True)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _order(self, number: int, where: torch.device) -> torch.Tensor:
        if number in self._orders:
            return self._orders[number]
        order = torch.randperm(len(self), generator=generator(self.seed, "order", number))
        return order.to(where)

    def batch(self, step: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor | None]:
        """x0 [B, ...] in the model's range and one-hot labels [B, K], or None for an unconditional
        model.
        """
        where = device if self._resident(device) else torch.device("cpu")
        rows = self.rows(step, where)
        x0 = to_model(self._taken("images", rows, device))
        if not self.num_classes:
            return x0, None
        labels = self._taken("labels", rows, device)
        return x0, torch.nn.functional.one_hot(labels, self.num_classes).to(x0.dtype)

    def _resident(self, device: torch.device) -> bool:
        """Whether the images lie on the device: on an accelerator if they are not too large, since
        a copy per batch would wait for all updates under way.
        """
        return device.type in RESIDENT and self.images.nbytes <= RESIDENT_BYTES

    def _taken(self, name: str, rows: torch.Tensor, device: torch.device) -> torch.Tensor:
        """Rows of the images or labels as they are stored, on the device."""
        stored = getattr(self, name)
        if not self._resident(device):
            return torch.from_numpy(stored[rows.numpy()]).to(device)
        if name not in self._kept:  # uint8, a quarter of the bytes of float32
            self._kept[name] = torch.from_numpy(np.array(stored)).to(device)
        return self._kept[name][rows]
