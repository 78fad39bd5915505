"""Where the session of a request is."""

from typing import Final

SESSION_KEY: Final = "background_jobs.session"
"""Its place in the scope; it is there, and perhaps None, for all that comes below `/web`."""
