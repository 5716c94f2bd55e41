"""Property tests run on busy machines: how long one example takes says nothing."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("wire", deadline=None)
settings.load_profile("wire")
