"""The fixtures of the Arena's tests."""

from ladder_bench import bench, history_storage

__all__ = ["bench", "history_storage"]
