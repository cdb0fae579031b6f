"""Telling people: compose a message, keep it in the outbox, deliver it at least once."""
