"""One share: which of its instances are still to run, and with which params."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from background_jobs.aws.payloads import Payloads
from background_jobs.core.errors import InvalidSettings
from background_jobs.core.events import PayloadRef
from background_jobs.core.payloads import INLINE_BYTES
from background_jobs.settings import ContainerSettings


@dataclass(frozen=True, slots=True)
class Params:
    """The params of one instance, and where they are in the bucket."""

    value: dict[str, Any]
    ref: PayloadRef
    size: int

    def as_fields(self) -> dict[str, Any]:
        """Return the fields of an event that carry these params: themselves, or where they are."""
        return {"params": self.value} if self.size <= INLINE_BYTES else {"params_ref": self.ref}


@dataclass(frozen=True, slots=True)
class Share:
    """The contiguous instances that this container was handed."""

    number: int
    first: int
    last: int
    params_key: str
    first_byte: int
    last_byte: int

    @classmethod
    def of(cls, settings: ContainerSettings) -> Self:
        """Read the share that the state machine injected. Raises InvalidSettings."""
        first, last = map(int, settings.indices.split("-"))
        first_byte, last_byte = map(int, settings.params_bytes.split("-"))
        if last < first:
            raise InvalidSettings("JOB_INDICES", settings.indices, "it ends before it begins")
        return cls(settings.share, first, last, settings.params_key, first_byte, last_byte)

    def params(self, payloads: Payloads) -> Iterator[tuple[int, Params]]:
        """Yield each index of the share with its params. Raises PayloadNotFound."""
        lines = payloads.get(self.params_key, f"{self.first_byte}-{self.last_byte}").splitlines(keepends=True)
        byte = self.first_byte
        for index, line in zip(range(self.first, self.last + 1), lines, strict=True):
            ref = PayloadRef(key=self.params_key, bytes=f"{byte}-{byte + len(line) - 1}")
            yield index, Params(json.loads(line), ref, len(line))
            byte += len(line)
