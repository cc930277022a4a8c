"""Lengths of trainings. No torch here."""

UPDATES_PER_BLOCK = 20  # of what is timed: long enough for a clock, short against an epoch
UPDATES_BEFORE = 5  # of a block, untimed: libraries choose kernels, a graph is captured


def steps_until(epoch: int, images: int, batch_size: int) -> int:
    """Updates after which `epoch` passes over the data are done: the first with images seen ≥ epoch
    · images.
    """
    return -(-epoch * images // batch_size)
