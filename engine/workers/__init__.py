"""Worker processes: the pool, the messages, and the child's side."""
