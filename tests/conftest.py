"""What every test shares.

Property tests draw the same examples on every run of one commit, so that a verdict belongs to the commit and not to
the day. `make explore` draws new ones, many more of them: what it finds becomes an `@example`.
"""

from __future__ import annotations

import pytest
from hypothesis import settings

# A deadline would be a timed test: how long an example takes says how busy the machine is.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=2000, deadline=None)
settings.load_profile("same")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
