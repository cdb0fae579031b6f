"""What the web shows, read by narrow SQL into small dataclasses: no ORM, which costs a process 24 MB."""
