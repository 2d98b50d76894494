"""The live view of one search."""
