"""The learned leaf evaluation: a small network in whole numbers that both searching snakes add to their own evaluation.

`games` lets the Go snake play itself and keeps the games, `dataset` asks it what it sees in their positions, `fitting`
fits a network to outcomes and search values, `network` is that network in the snakes' whole numbers and writes the file
that they read (`deploy/go-snake/leafeval`, `deploy/rust-snake/engine/src/leaf_eval.rs`).
"""
