"""One thread per test process: tests run side by side, and results must not hang on the number of
cores.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"
