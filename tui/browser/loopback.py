"""What reaches a server of this machine alone: addresses, and requests of its own page."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_own(host_header: str, origin: str | None) -> bool:
    """Whether a request was made of this machine by its own page.

    Another page of the same browser may open a socket to any address: its Origin tells. A name that somebody else's
    server answers for may be pointed at this machine: the Host tells.
    """
    name = host_header.removeprefix("[").partition("]")[0] if host_header[:1] == "[" else host_header.partition(":")[0]
    return is_loopback(name) and origin in (None, f"http://{host_header}")
