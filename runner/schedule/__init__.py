"""When schedules fire: pure functions, `now` passed in, no input or output."""
