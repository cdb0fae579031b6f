"""What starts a run besides a cron line: conditions by name, dropped files, and what they look at."""
