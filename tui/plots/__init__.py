"""Plots on the character grid."""
