"""The message that an orchestration has ended: for programs as JSON, for people as text."""

import html
import json
from collections.abc import Iterable
from typing import Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from background_jobs.core.completion import JobCompletedEvent
from background_jobs.core.events import JobErrored
from background_jobs.core.payloads import bounded
from background_jobs.core.views.cause_groups import group_failures
from background_jobs.core.views.causes import FailureDigest
from background_jobs.core.wording import count_of

CAUSES: Final = 3
"""The causes that a message names, the most frequent ones."""
_SUBJECT_CHARACTERS: Final = 99
"""SNS takes up to a hundred ASCII characters. Source: Amazon SNS API Reference, "Publish"."""
_MESSAGE_CHARACTERS: Final = 300


class NotifiedCause(BaseModel):
    """Failures of one cause."""

    model_config = ConfigDict(frozen=True)

    type: str
    message: str
    count: int
    indices: list[int] = Field(description="The first of the instances.")


class NotificationData(BaseModel):
    """What is told of an orchestration."""

    model_config = ConfigDict(frozen=True)

    environment: str
    orchestration: JobCompletedEvent
    causes: list[NotifiedCause] = Field(description=f"The {CAUSES} most frequent ones.")
    more_causes: int = Field(description="How many further causes there are.")
    failures_read: int = Field(
        description="Of how many failures the causes are; of the first ones, where many are."
    )
    url: str = Field(description="The page of the orchestration in the console; empty where there is none.")


class Notification(BaseModel):
    """The message of one end; however often it is sent, its id is the same."""

    model_config = ConfigDict(frozen=True)

    type: Literal["orchestration.completed"] = "orchestration.completed"
    timestamp: AwareDatetime
    """When the orchestration ended."""
    data: NotificationData

    @classmethod
    def of(cls, event: JobCompletedEvent, failures: Iterable[JobErrored], environment: str, url: str) -> Self:
        """Return the message of *event*, with the causes of the *failures*."""
        digest = FailureDigest.of(group_failures(failures, event.total, lambda: ()))
        data = NotificationData(
            environment=environment,
            orchestration=event,
            causes=_causes(digest),
            more_causes=max(0, len(digest.causes) + digest.more_causes - CAUSES),
            failures_read=digest.failed,
            url=url,
        )
        return cls(timestamp=event.completed_at, data=data)

    @property
    def id(self) -> str:
        """Return the id by which receivers drop what comes twice."""
        return self.data.orchestration.event_id

    def body(self) -> bytes:
        """Return the message for programs: JSON."""
        return self.model_dump_json().encode()

    def subject(self) -> str:
        """Return the message in one line of ASCII."""
        data = self.data
        line = f"[{data.environment}] {data.orchestration.job_name} {_outcome_in_words(data.orchestration)}"
        printable = "".join(c if " " <= c <= "~" else "?" for c in line)
        return printable[:_SUBJECT_CHARACTERS]

    def text(self) -> str:
        """Return the message in lines for people, as in an e-mail."""
        return "\n".join(_one_line(line) for line in self._lines()) + "\n"

    def chat(self) -> str:
        """Return the message as Amazon Q Developer in chat applications shows it in Slack or Teams.

        Source: Amazon Q Developer in chat applications Administrator Guide, "Custom notifications".
        """
        first, *rest = (_escape(_one_line(line)) for line in self._lines())
        content = {"textType": "client-markdown", "title": first, "description": "\n".join(rest)}
        document = {"version": "1.0", "source": "custom", "id": self.id, "content": content}
        return json.dumps(document, ensure_ascii=False)

    def _lines(self) -> list[str]:
        data, event = self.data, self.data.orchestration
        lines = [f"{event.job_name} {_outcome_in_words(event)}", ""]
        if event.pipeline_id:
            lines.append(f"Stage {event.stage}; {count_of(event.stages_left, 'stage')} left in the pipeline")
        lines.append(f"{event.completed:,} completed, {event.errored:,} errored, {event.total:,} in all")
        lines.append(f"Took {str(event.duration).partition('.')[0]}, in {data.environment}")
        lines.extend(f"Tag {name}: {value}" for name, value in event.tags.items())
        lines.extend(
            f"{count_of(cause.count, 'failure')}: {cause.type}: {cause.message}" for cause in data.causes
        )
        if data.more_causes:
            lines.append(f"and {count_of(data.more_causes, 'further cause')}")
        if data.failures_read < event.errored:
            lines.append(f"The causes are those of the first {count_of(data.failures_read, 'failure')}.")
        lines.extend(("", data.url or f"background-jobs show {event.orchestration_id}"))
        return lines


def _causes(digest: FailureDigest) -> list[NotifiedCause]:
    return [
        NotifiedCause(
            type=cause.type,
            message=bounded(cause.message, _MESSAGE_CHARACTERS),
            count=cause.count,
            indices=cause.indices,
        )
        for cause in digest.causes[:CAUSES]
    ]


def _outcome_in_words(event: JobCompletedEvent) -> str:
    match event.outcome:
        case "Completed":
            return f"has completed: {count_of(event.total, 'instance')}"
        case "Cancelled":
            return f"was cancelled: {event.completed:,} of {count_of(event.total, 'instance')} completed"
        case "Errored":
            return f"has errored: {event.errored:,} of {count_of(event.total, 'instance')}"


def _one_line(text: str) -> str:
    """Return *text*, which a job may have written, without anything that moves a cursor or ends a line."""
    return "".join(character if character.isprintable() else " " for character in text)


def _escape(text: str) -> str:
    """Return *text* so that a chat finds neither links nor mentions of people in it."""
    return html.escape(text, quote=False)
