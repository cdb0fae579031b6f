"""The fixtures of the Arena's tests."""

from ladder_bench import bench, empty_database, history_storage

__all__ = ["bench", "empty_database", "history_storage"]
