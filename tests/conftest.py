"""One thread per test process: tests run side by side, and results must not hang on the number of
cores. No test is timed: a machine may have other work.
"""

import os

import pytest
from hypothesis import settings

os.environ["OMP_NUM_THREADS"] = "1"
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """The handwritten digits, prepared; no test writes in their folder."""
    from uncanny.datasets import Dataset
    from uncanny.datasets.digits import digits

    folder = tmp_path_factory.mktemp("digits")
    digits(folder)
    return Dataset.open(folder)
