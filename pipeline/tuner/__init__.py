"""The Go-weight tuner: varies a snake's weights, plays real games, and keeps only what is proven better.

Public: `continuous.ContinuousTrainer` (a run as a library), `tuning.Tuning` (the state machine), `ledger.Ledger` (all
that happened, committed before it counts), `tournament_run.run_tournament`, `verify.verify`. A search is an
`optimise.Optimiser`, a way to play games a `backends.Backend`.
"""
