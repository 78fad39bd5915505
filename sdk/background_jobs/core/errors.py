"""Every error that this package raises on purpose, named for the fact that it states."""

from collections.abc import Iterable, Mapping


class BackgroundJobsError(Exception):
    """The parent of every error of this package; each can be pickled and copied."""

    def __reduce__(self) -> tuple[object, ...]:
        # By default an error is made again from its message, but most of ours are made from their values.
        return _remake, (type(self), self.args), vars(self)


def _remake(kind: type[BackgroundJobsError], args: tuple[object, ...]) -> BackgroundJobsError:
    """Return an error of *kind* with these *args*, among them its message, and without its values."""
    return kind.__new__(kind, *args)


class MissingSettings(BackgroundJobsError):
    """Settings are absent from the process's variables; all of them are named at once."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(sorted(names))
        remedy = (
            "They are given to a container, which runs this file. Offline, have it run for a caller: "
            "`background-jobs local run --jobs FILE -- COMMAND`."
            if "JOB_NAME" in self.names
            else "A deployed stack has them as outputs (`aws cloudformation describe-stacks --stack-name "
            "background-jobs-ENVIRONMENT`); offline, `background-jobs local up` prints them, and "
            "`background-jobs local run --jobs FILE -- COMMAND` runs your command with them."
        )
        super().__init__(
            f"These settings are missing from this process's variables: {', '.join(self.names)}. {remedy}"
        )


class InvalidSettings(BackgroundJobsError):
    """A setting is present but cannot be used."""

    def __init__(self, name: str, value: str, reason: str) -> None:
        self.name, self.value, self.reason = name, value, reason
        super().__init__(f"The setting {name}={value!r} cannot be used: {reason}.")


class LibraryNotInstalled(BackgroundJobsError, ImportError):
    """Something needs a library that this package works without."""

    def __init__(self, library: str, needed_for: str, install: str) -> None:
        self.library = library
        super().__init__(
            f"{needed_for} needs {library}, which is not installed here. Run: pip install '{install}'"
        )


class InvalidJob(BackgroundJobsError):
    """A class or function cannot serve as a job."""


class UnknownJobName(BackgroundJobsError):
    """No job is registered under this name in the service."""

    def __init__(self, job_name: str, known: Iterable[str], hint: str = "") -> None:
        self.job_name = job_name
        self.known = tuple(sorted(known))
        names = ", ".join(map(repr, self.known)) or "no jobs at all"
        super().__init__(
            f"There is no job named {job_name!r}. This service has: {names}. "
            "Check the spelling, or add the job to run_e11_job([...]) in the container's main."
            f"{' ' if hint else ''}{hint}"
        )


class JobsNotLoaded(BackgroundJobsError):
    """The jobs of an offline stack were edited, and cannot be loaded as they are now."""


class JobNotFound(UnknownJobName):
    """No job of this name can be kicked off in the environment."""


class InvalidParams(BackgroundJobsError):
    """A parameter object was refused at kick-off; nothing was started."""

    def __init__(self, index: int, reason: str) -> None:
        self.index, self.reason = index, reason
        super().__init__(f"The params at index {index} were refused, and nothing was started: {reason}")


class InvalidKickOff(BackgroundJobsError):
    """An argument of kick_off_job was refused; nothing was started."""


class NoRoomForParams(BackgroundJobsError):
    """The params of a kick-off do not fit on this machine's disk; nothing was started."""

    def __init__(self, folder: str, reason: str) -> None:
        self.folder, self.reason = folder, reason
        super().__init__(
            f"The params cannot be gathered in {folder}: {reason}. Nothing was started. Make room there, or "
            "set TMPDIR to a folder that has some."
        )


class KickOffConflict(BackgroundJobsError):
    """Another orchestration already holds this key, with other contents."""

    def __init__(self, orchestration_id: str, key: str, differences: Iterable[str]) -> None:
        self.orchestration_id, self.key = orchestration_id, key
        self.differences = tuple(differences)
        super().__init__(
            f"{f'The key {key!r}' if key else 'The id'} belongs to orchestration {orchestration_id}, "
            "which differs in: "
            f"{', '.join(self.differences)}. Use another key, or re-attach by that id."
        )


class OrchestrationOfOtherService(KickOffConflict):
    """The id of a kick-off belongs to an orchestration of another service already."""

    def __init__(self, orchestration_id: str, key: str, service: str) -> None:
        self.service = service
        super().__init__(orchestration_id, key, [f"the service, which is {service!r}"])


class OrchestrationNotFound(BackgroundJobsError):
    """No OrchestrationStarted event was ever stored under this id."""

    def __init__(self, orchestration_id: str) -> None:
        self.orchestration_id = orchestration_id
        super().__init__(
            f"There is no orchestration {orchestration_id!r} here. Check the id, "
            "and that the settings point at the environment in which it was kicked off."
        )


class AmbiguousId(BackgroundJobsError):
    """An id was abbreviated, and more than one orchestration begins like that."""

    def __init__(self, prefix: str, orchestration_ids: Iterable[str]) -> None:
        self.prefix, self.orchestration_ids = prefix, tuple(orchestration_ids)
        super().__init__(
            f"More than one orchestration begins with {prefix!r}: {', '.join(self.orchestration_ids)}. "
            "Write more of the id."
        )


class UnreadableEvent(BackgroundJobsError):
    """An event of the log is there, and this release cannot read it."""

    def __init__(
        self,
        orchestration_id: str,
        event: str,
        reason: str = "",
        remedy: str = "the job is to be kicked off again, under another key if it had one",
    ) -> None:
        self.orchestration_id, self.event, self.reason = orchestration_id, event, reason
        super().__init__(
            f"The event {event!r} of {orchestration_id} is in the log, but cannot be read"
            f"{f' ({reason})' if reason else ''}. If a later release wrote it, deploy and use that release; "
            f"else somebody put it there who should not, and {remedy}."
        )


class InstanceNotFound(BackgroundJobsError):
    """The orchestration has no job instance with this index."""

    def __init__(self, orchestration_id: str, index: int, total: int) -> None:
        self.orchestration_id, self.index, self.total = orchestration_id, index, total
        indices = f"are 0 to {total - 1}" if total else "are none"
        super().__init__(f"There is no instance {index}: the instances of {orchestration_id} {indices}.")


class CauseNotFound(BackgroundJobsError):
    """No failure of the orchestration has this cause by now."""

    def __init__(self, orchestration_id: str, cause_id: str) -> None:
        self.orchestration_id, self.cause_id = orchestration_id, cause_id
        super().__init__(
            f"No failure of {orchestration_id} has the cause {cause_id!r}. "
            f"`background-jobs failures {orchestration_id}` lists the causes with their ids."
        )


class InvalidSchedule(BackgroundJobsError):
    """A schedule was refused; nothing was written."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"The schedule {name!r} was refused, and nothing was written: {reason}.")


class NotAllowed(BackgroundJobsError):
    """The scopes and groups of the caller's token do not allow what it asked the API for."""


class ScheduleNotFound(BackgroundJobsError):
    """Neither Scheduler nor the event log has a schedule of this name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"There is no schedule {name!r} here. `background-jobs schedule list` shows all schedules; "
            "check that the settings point at the environment in which it was made."
        )


class ScheduleEnded(BackgroundJobsError):
    """A schedule that was deleted, or is over, can neither be paused nor resumed."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"The schedule {name!r} is over or was deleted; schedule the job again.")


class InvalidBackfill(BackgroundJobsError):
    """A backfill was refused; nothing was started."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"The backfill of schedule {name!r} was refused, and nothing was started: {reason}.")


class ScheduleDeclared(BackgroundJobsError):
    """A schedule that the stack declares can be changed only in the stack."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"The schedule {name!r} is declared in the stack: change or remove it there, and deploy. "
            "It may be paused and resumed."
        )


class InvalidTimeRange(BackgroundJobsError):
    """The moments between which something is asked for are not two of them, in order."""


class InvalidToken(BackgroundJobsError):
    """A paging token did not come from the page before."""

    def __init__(self, token: str) -> None:
        self.token = token
        super().__init__("This is no token of a page before; take next_token from the last answer, as it is.")


class StreamTokenRefused(BackgroundJobsError):
    """A token does not open the stream: it is of somebody else, was changed, or has expired."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"This token opens no stream: {reason}. Ask for another, POST "
            "/orchestrations/{orchestration_id}/stream-tokens, and open its stream within a minute."
        )


class InvalidResult(BackgroundJobsError):
    """The value that a job returned cannot be stored."""


class ResultMismatch(BackgroundJobsError):
    """A result does not fit the type that its job is annotated with: another version of the job wrote it."""

    def __init__(self, job_name: str, index: int, type_name: str, reason: str) -> None:
        self.job_name = job_name
        self.index = index
        super().__init__(
            f"The result of {job_name}[{index}] does not fit {type_name}: {reason}. Read it as JSON "
            "(`success.result_json`), or with the version of the job that returned it."
        )


class ShareLost(BackgroundJobsError):
    """A share was given to another container while this one slept."""

    def __init__(self, share: int, launch: int) -> None:
        super().__init__(f"Share {share} was taken up by another container, which is launch {launch} of it.")


class EventConflict(BackgroundJobsError):
    """Another event already holds this event's key in the log."""

    def __init__(self, partition: str, sort: str) -> None:
        self.partition, self.sort = partition, sort
        super().__init__(f"Another event already holds {sort!r} in {partition!r}.")


class EventNotPublished(BackgroundJobsError):
    """The event bus refused an event; it must be published again."""


class NotAJobCompletedEvent(BackgroundJobsError):
    """EventBridge delivered an event that is no JobCompletedEvent of this service."""

    def __init__(self, event: Mapping[str, object]) -> None:
        self.event = event
        super().__init__(
            f"This is no JobCompletedEvent but {event.get('source')!r} / {event.get('detail-type')!r}. "
            "Give the whole event as EventBridge delivers it, and match it with JobCompletedEvent.pattern()."
        )


class PayloadNotFound(BackgroundJobsError):
    """An object of params or results is not in the bucket."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"The payload {key!r} is not in the bucket; its retention may have passed.")


class PayloadDenied(BackgroundJobsError):
    """An object of params or results may not be read, or is not there: S3 does not say which.

    It says that an object is missing only to those who may list the bucket. Source: Amazon S3 API Reference,
    "GetObject".
    """

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(
            f"S3 refuses to read the payload {key!r}. Either its retention has passed, or these credentials "
            "may not read it; with CallerPolicy, which may list the bucket, the answer says which."
        )


class InvalidTaskSize(BackgroundJobsError):
    """Fargate does not offer this CPU with this memory."""


class InvalidWorkload(BackgroundJobsError):
    """A workload that is to be planned could not be kicked off."""


class LogNotFound(BackgroundJobsError):
    """There is no log to read, or its retention has passed."""


class ServiceUnreachable(BackgroundJobsError):
    """AWS, or the endpoint that stands for it, did not answer."""


class OtherJob(BackgroundJobsError):
    """An orchestration was asked for as one of a job that it is not of."""

    def __init__(self, orchestration_id: str, job_name: str, asked_for: str) -> None:
        self.orchestration_id = orchestration_id
        super().__init__(
            f"The orchestration {orchestration_id} is of the job {job_name!r}, not of {asked_for!r}. "
            "Hand over that job, or leave it out: results are plain JSON then."
        )


class InvalidComparison(BackgroundJobsError):
    """An orchestration that runs no other again was to be compared with its original."""

    def __init__(self, orchestration_id: str) -> None:
        self.orchestration_id = orchestration_id
        super().__init__(
            f"The orchestration {orchestration_id!r} is no rerun, so it has no original to be compared with. "
            "Name the other one."
        )
