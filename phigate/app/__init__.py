"""The Starlette shell; the only place that reads the environment."""
