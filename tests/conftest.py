"""One thread per test process: tests run side by side, and results must not hang on the number of
cores. No test is timed: a machine may have other work.
"""

import os

from hypothesis import settings

os.environ["OMP_NUM_THREADS"] = "1"
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
