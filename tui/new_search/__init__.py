"""The form for a new search."""
