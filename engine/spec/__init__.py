"""What a search is asked for: its spec, space, combinations and schedules."""
