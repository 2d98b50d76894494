"""One search on disk: its events, record, requests and state."""
