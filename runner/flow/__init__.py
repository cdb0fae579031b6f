"""The steps of the daemon's loop, one file each: fire, obey, drops, triggers, watch, launch."""
