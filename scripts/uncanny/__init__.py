"""Studies of diffusion models. Each folder is a room: it imports rooms that stand above it in tests/test_rooms.py."""

__version__ = "0.1.0"
