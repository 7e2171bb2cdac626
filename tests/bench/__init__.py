"""Measurements, each a figure beside a peer's from the same run: ``uv run python -m tests.bench``."""
