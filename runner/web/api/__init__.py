"""`/api/v1`: every verb of the command line for programs."""
