"""Runs a search: the loop, the queue of trainings, requests, and the record."""
