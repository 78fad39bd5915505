"""The share that a container was handed: its instances, and their params."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from background_jobs.aws.payloads import Payloads
from background_jobs.core.errors import InvalidSettings
from background_jobs.core.events import PayloadRef
from background_jobs.core.payloads import fits_event
from background_jobs.core.ranges import InclusiveRange
from background_jobs.settings import ContainerSettings


class InstanceParams(NamedTuple):
    """The params of one instance, and where they are in the bucket."""

    line: bytes
    key: str
    first_byte: int

    def read(self) -> dict[str, Any]:
        """Return the params; a new object each time, since a job may change what it is given."""
        params: dict[str, Any] = json.loads(self.line.decode())
        return params

    def as_fields(self) -> dict[str, Any]:
        """Return the fields of an event that carry these params: themselves, or where they are."""
        if fits_event(self.line):
            return {"params": self.read()}
        part = InclusiveRange.at(self.first_byte, len(self.line))
        return {"params_ref": PayloadRef(key=self.key, bytes=str(part))}


@dataclass(frozen=True, slots=True)
class AssignedShare:
    """The contiguous instances that this container was handed."""

    number: int
    indices: InclusiveRange
    params_key: str
    params_bytes: InclusiveRange

    @classmethod
    def from_settings(cls, settings: ContainerSettings) -> Self:
        """Read the share that the state machine injected. Raises InvalidSettings."""
        return cls(
            settings.share,
            _parse_range("JOB_INDICES", settings.indices),
            settings.params_key,
            _parse_range("JOB_PARAMS_BYTES", settings.params_bytes),
        )

    @classmethod
    def from_manifest(cls, fields: Mapping[str, str], params_key: str) -> Self:
        """Return the share that a line of the manifest tells of."""
        return cls(
            int(fields["share"]),
            InclusiveRange.parse(fields["indices"]),
            params_key,
            InclusiveRange.parse(fields["bytes"]),
        )

    def read_params(self, payloads: Payloads) -> Iterator[tuple[int, InstanceParams]]:
        """Yield each index of the share with its params. Raises PayloadNotFound."""
        lines = payloads.get(self.params_key, str(self.params_bytes)).splitlines(keepends=True)
        byte = self.params_bytes.first
        for index, line in zip(self.indices.numbers(), lines, strict=True):
            yield index, InstanceParams(line, self.params_key, byte)
            byte += len(line)


def _parse_range(setting: str, text: str) -> InclusiveRange:
    try:
        return InclusiveRange.parse(text)
    except ValueError as invalid:
        raise InvalidSettings(setting, text, str(invalid)) from invalid
