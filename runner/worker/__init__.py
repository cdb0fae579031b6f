"""The process wall: `launch` stands on the daemon's side, `child` on the run's, `rundir` holds what they write."""
