"""Bodies of each API to parts and back, and server-sent events. Pure."""
