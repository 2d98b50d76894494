"""The headless commands, a file each."""
