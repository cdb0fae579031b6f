"""A whole training run: its phases in order, judged, resumable from files after any kill.

Public: `pipeline.SelfPlayTrainingPipeline` (a run as a library), `model_evolution.ModelEvolutionSystem` (one call at a
time), `deployment.deploy`. `training_run.TrainingRun` drives whatever keeps the promises of `phase_runner.PhaseRunner`.
"""
