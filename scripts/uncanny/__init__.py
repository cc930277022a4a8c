"""Studies of diffusion models. Each folder is a room; docs/architecture.md says what is in it."""

__version__ = "1.0.0"
