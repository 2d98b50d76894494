"""The list of sessions, and what is started from it."""
