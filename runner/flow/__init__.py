"""The steps of the daemon's loop, one file each: fire, process commands, drops, triggers, watch, launch."""
