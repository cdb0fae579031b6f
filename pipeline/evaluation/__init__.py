"""What games prove: measurements, intervals, sequential tests, tournaments, and who becomes champion.

Public: `evaluator.ModelPerformanceEvaluator`, `promotion.decide_promotion`, `tournament.run_tournament`,
`strategy.analyse`; the statistics stand in `intervals`, `sequential`, `block_scores` and `ratings`. Nothing here knows
torch: who plays is an `arena.player.Player`.
"""
