"""The phases of training, one file each: what games it plays or reads, and how the network learns from them.

Public: `bootstrap.bootstrap`, `hybrid.hybrid`, `self_play.self_play`, `continuous.continuous`. Each gets a
`context.PhaseContext` and hands back a `context.PhaseResult`; the two supervised ones share `fit_phase.fit_phase`.
"""
