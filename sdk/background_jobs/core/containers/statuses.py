"""Exit statuses of containers that the control plane reads."""

from typing import Final

OUT_OF_MEMORY: Final = 78
"""The jobs ran out of memory, and another container may have more."""
