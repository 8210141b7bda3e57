"""What is asked of a transfer."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ("MOST_DEEP", "Plan")

#: Directories within directories; each costs a descriptor while the tree is walked.
MOST_DEEP = 128


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of a transfer."""

    preserve: bool = False
    """Copies have the mode and the times of their sources, whatever the umask."""
    skip_identical: bool = False
    """What has the same size and time there already, with ``preserve`` also the same mode, is left alone."""

    @property
    def times(self) -> bool:
        """Whether copies get the times of their sources: else the next run cannot tell what is identical."""
        return self.preserve or self.skip_identical
