"""The trends of a search."""
