"""Processes of this machine, told apart by when they began."""

from __future__ import annotations
