"""The steps of the daemon's loop, one file each, in the order of a turn: follow the clock, process commands, fire, take
trigger files, check triggers, watch runs, launch runs."""
