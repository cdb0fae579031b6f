"""The steps of the daemon's loop, one file each, in the order of a turn.

`FollowClock`, `ProcessCommands`, `ExpireWaiting` and `FireSchedules` (fire), `TakeTriggerFiles`, `CheckTriggers`,
`WatchRuns` (with `FinishRun`), `LaunchRuns`. Each is called with the instant of the turn and stands on a `Runtime`. A
step promises that a kill at any of its named points loses nothing and does nothing twice.
"""
