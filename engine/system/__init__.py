"""The machine below: whole files, checked lines, permissions, processes, hardware, logout."""
