"""How people sign in to the console of an environment."""

import re
from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, model_validator

from background_jobs.cdk.validation import ValidatedConfig, YesNo

_ADDRESS: Final = r"^https://[^/?#\s]+(/[^?#\s]*)?$"
_ARN: Final = r"^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:\d{12}:secret:[A-Za-z0-9/_+=.@-]+-[A-Za-z0-9]{6}$"
Group = Annotated[str, Field(min_length=1, max_length=128)]


class ConsoleSignIn(ValidatedConfig):
    """Let people sign in: at a user pool that the stack makes, or at an OpenID provider of yours."""

    model_config = ConfigDict(title="console")

    cognito: YesNo = False
    """Make a user pool of Amazon Cognito, with its own pages, to which you invite people."""
    issuer: str | None = Field(default=None, pattern=_ADDRESS)
    """The provider otherwise, by the address that its tokens name (``iss``)."""
    client_id: str | None = Field(default=None, min_length=1)
    """The client as which the console is registered there."""
    client_secret_arn: str | None = Field(default=None, pattern=_ARN)
    """The secret in Secrets Manager whose text is that of the client; None for a public client (PKCE)."""
    readers: Group = "readers"
    """The group of those who may look at everything; ``*`` for everybody who can sign in."""
    operators: Group = "operators"
    """The group of those who may also kick off, cancel, rerun and schedule."""
    groups_claim: str = Field(default="groups", min_length=1)
    """The claim of an ID token that has the groups; not for the stack's own pool, whose claim is known."""
    name_claim: str = Field(default="email", min_length=1)
    """The claim that names people in the history."""
    url: str | None = Field(default=None, pattern=_ADDRESS)
    """The address of the API under a domain name of yours, without a slash at its end; None for AWS's."""

    @model_validator(mode="after")
    def _has_one_provider(self) -> Self:
        if self.cognito == bool(self.issuer):
            raise ValueError("name one provider: cognito=True, or issuer='https://…' with client_id='…'")
        if self.cognito and (self.client_id or self.client_secret_arn):
            raise ValueError("the stack makes its own client of its pool; leave client_id and its secret out")
        if self.issuer and not self.client_id:
            raise ValueError("client_id is missing: register the console at the provider, which names it")
        return self

    @model_validator(mode="after")
    def _groups_differ(self) -> Self:
        if self.readers == self.operators:
            raise ValueError(f"readers and operators are both {self.readers!r}; name two groups")
        for group in (self.readers, self.operators):
            if self.cognito and re.search(r"\s", group):
                raise ValueError(f"the group {group!r} has a space, which Cognito does not take")
        return self

    @model_validator(mode="after")
    def _url_has_no_slash(self) -> Self:
        if self.url is not None and self.url.endswith("/"):
            raise ValueError(f"url={self.url!r} ends with a slash; leave it out")
        return self
