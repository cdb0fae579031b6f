"""Snakes as programs: find the Go toolchain, build a snake in a scratch copy, say what was wrong with it."""
