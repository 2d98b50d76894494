"""The results table: its rows, order, filter and cells."""
