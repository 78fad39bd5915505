"""Secrets, from Secrets Manager."""

from typing import Any


class Secrets:
    """The secrets of one account and region; each is read when it is asked for, so that a new one counts."""

    def __init__(self, secrets_manager: Any) -> None:  # noqa: ANN401 -- its types are not installed
        self._secrets_manager = secrets_manager

    def read(self, arn: str) -> str:
        """Return the text of the secret *arn*. Raises ValueError where it is binary."""
        text: str | None = self._secrets_manager.get_secret_value(SecretId=arn).get("SecretString")
        if text is None:
            raise ValueError("the secret is binary, and must be a text")
        return text
