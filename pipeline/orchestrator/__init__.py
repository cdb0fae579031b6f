"""A whole training run: its phases in order, judged, resumable from files; `SelfPlayTrainingPipeline` is its face."""
