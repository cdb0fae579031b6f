"""What starts a run besides a cron line: conditions by name, and trigger files (`trigger_files.scan`).

A condition takes a `ConditionContext` and answers a `ConditionVerdict`, outside the loop and under its time limit. They
are in `built_in`, `degradation` and `ladder_conditions`; a user's own runs in a `condition_process`.
"""
