"""Presidio behind the Analyzer port, off the event loop, without a network.

The tagger's matrices are small: a second BLAS thread costs forty times what it saves, since both spin while they wait
(measured: 26 ms in place of 2 for 1,000 characters on two busy cores). One thread, unless somebody asked otherwise,
and before NumPy is first imported.
"""

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
