"""What can go wrong inside the core."""

from __future__ import annotations


class DomainError(Exception):
    """One agent's decision cannot be computed: an illegal transition, a balance that would go below zero.

    The tape catches it and quarantines that agent; no other agent is touched.
    """


class BrokenInvariant(Exception):
    """The tape itself is not what it must be; nobody can decide on it and the trader halts."""
