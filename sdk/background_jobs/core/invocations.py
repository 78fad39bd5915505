"""How the function that kicks off jobs is invoked, beside Scheduler and the bus."""

from typing import Final

FOLLOWING: Final = "following"
"""The field of an invocation that names the stage which a rule starts."""
RUN_COMPLETED_OF: Final = "run_completed_of"
"""How the function that kicks off jobs is told, beside what is due, that a run of a schedule completed."""
