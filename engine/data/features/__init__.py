"""How a row of data becomes numbers."""
