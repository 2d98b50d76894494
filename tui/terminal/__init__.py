"""What the terminal itself is asked for: title, clipboard, keys, themes, leaving."""
