"""Processes that the app starts."""
