"""De-identify by span, re-identify in one pass, and the release that may leave. Pure."""
