"""How long a search still takes, and what could be left out."""
