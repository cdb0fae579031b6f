"""Networks and how they learn: from a teacher first (`supervised.fit`), then by playing (`self_play.improve`).

Public: `networks.build_network`, `model_registry.ModelRegistry`, `policy.TorchPolicy`, `checkpoint.CheckpointFolder`,
`continual_learner.ContinualLearner`. Every training goes on from its checkpoint to the same end, whatever was killed
when. torch lives here and in export, and above them.
"""
