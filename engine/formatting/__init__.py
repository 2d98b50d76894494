"""How things are written for people: safe text, times, plain tables."""
