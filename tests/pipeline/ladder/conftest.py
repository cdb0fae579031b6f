"""The fixtures of the Arena's tests."""

from ladder_bench import bench, empty_database

__all__ = ["bench", "empty_database"]
