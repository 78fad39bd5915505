"""The jobs that can be kicked off, and what a kick-off of one would run."""

from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from itertools import islice
from typing import Any, Final

from background_jobs.aws.job_catalog import JobCatalog
from background_jobs.core.containers import shares
from background_jobs.core.containers.variables import LOCAL, TWIN
from background_jobs.core.errors import JobNotFound, JobsNotLoaded, UnknownJobName
from background_jobs.core.job_descriptions import JobDescription, names_of
from background_jobs.core.limits import PREVIEW_CHECKED
from background_jobs.core.params_schema import ANY_OBJECT, find_misfits
from background_jobs.core.views.jobs import JobView, KickOffPreview, ParamsProblem
from background_jobs.settings import Settings

_READERS: Final = 8
_PROBLEMS: Final = 100
"""The problems that a preview tells at most."""
_SHOWN: Final = 5
"""The params that a preview shows at most."""


class KnownJobs:
    """The jobs that may be kicked off, as far as they are known.

    On AWS they are those of all services that the settings name. Offline, jobs come and go while a stack is
    up, and are those that their service publishes; on a twin they are these as well, if there are several.
    """

    def __init__(self, settings: Settings, catalog: JobCatalog) -> None:
        self._settings = settings
        self._read_published = cache(catalog.read)

    def refuse(self, name: str, service: str) -> None:
        """Raise UnknownJobName if *service* has no job *name*, or JobsNotLoaded if it cannot tell."""
        settings = self._settings
        if settings.environment != LOCAL and settings.job_names and name not in settings.job_names:
            raise UnknownJobName(name, settings.job_names)
        is_twin_of_several = settings.environment == TWIN and len(settings.service_names) > 1
        if settings.environment != LOCAL and not is_twin_of_several:
            return
        names = self._names_of(service)
        if names and name not in names:
            others = (other for other in settings.service_names if other != service)
            raise UnknownJobName(name, names, hint=self._hint(name, others))

    def _names_of(self, service: str) -> tuple[str, ...]:
        return names_of(self._read_published(service))

    def _hint(self, name: str, services: Iterable[str]) -> str:
        for service in services:
            with suppress(JobsNotLoaded):
                if name in self._names_of(service):
                    return f"The service {service!r} has it: name that service."
        return ""


class JobList(list[JobView]):
    """Jobs, and for each service whose edited jobs cannot be loaded, offline, why not (`not_loaded`)."""

    def __init__(self, jobs: Iterable[JobView] = (), not_loaded: Mapping[str, JobsNotLoaded] = {}) -> None:
        super().__init__(jobs)
        self.not_loaded = dict(not_loaded)

    def of(self, services: Collection[str]) -> "JobList":
        """Return those of *services*."""
        reasons = {service: why for service, why in self.not_loaded.items() if service in services}
        return JobList((job for job in self if job.service in services), reasons)


def list_jobs(catalog: JobCatalog, settings: Settings, service: str | None = None) -> JobList:
    """Return the jobs of all services, or of *service* if there is one of that name, by name and by service.

    Raises JobsNotLoaded if that is so of every service that is asked.
    """
    all_services = settings.service_names or (settings.service,)
    services = (service,) if service in all_services else all_services

    def read(service: str) -> tuple[JobDescription, ...] | JobsNotLoaded:
        try:
            return catalog.read(service)
        except JobsNotLoaded as reason:
            return reason

    with ThreadPoolExecutor(_READERS) as pool:
        published = dict(zip(services, pool.map(read, services), strict=True))
    not_loaded = {name: jobs for name, jobs in published.items() if isinstance(jobs, JobsNotLoaded)}
    if len(not_loaded) == len(services):
        raise not_loaded[settings.service if settings.service in not_loaded else services[0]]
    views = [
        JobView(**dict(job), service=name)
        for name, jobs in published.items()
        if not isinstance(jobs, JobsNotLoaded)
        for job in jobs
    ]
    known = set(names_of(views))
    only = all_services[0] if len(all_services) == 1 else None
    named = [
        JobView(name=name, service=only, is_described=False)
        for name in settings.job_names
        # Offline these are the names of when the stack was started, and all that are there are published.
        if name not in known and settings.environment != LOCAL
    ]
    return JobList(sorted([*views, *named], key=lambda job: (job.name, job.service or "")), not_loaded)


def find_job(jobs: JobList, name: str, service: str | None, settings: Settings) -> JobView:
    """Return the job *name*: that of *service*, or of the service in the settings, or else of another.

    One that has the name goes before one that has it as an alias. Raises JobNotFound, or JobsNotLoaded where
    a service may have it whose jobs cannot be loaded.
    """
    of_service = [job for job in jobs if service in (None, job.service)]
    named = [job for job in of_service if name in job.names]
    if not named:
        if reasons := [why for of, why in jobs.not_loaded.items() if service in (None, of)]:
            raise reasons[0]
        raise JobNotFound(name, names_of(of_service))
    return min(named, key=lambda job: (job.service != settings.service, job.name != name))


def find_problems(job: JobDescription, params: Iterable[object]) -> list[ParamsProblem]:
    """Return what in *params*, or in the first of them, does not fit the schema of *job*, the first of it."""
    problems: list[ParamsProblem] = []
    found = find_misfits(job.params_schema or ANY_OBJECT, islice(params, PREVIEW_CHECKED))
    for index, misfits in enumerate(found):
        problems += [ParamsProblem(index=index, field=field, message=why) for field, why in misfits]
        if len(problems) >= _PROBLEMS:
            break
    return problems[:_PROBLEMS]


def preview_kick_off(
    job: JobView, params: Iterable[Any], parallelism: int | None, settings: Settings
) -> KickOffPreview:
    """Return what a kick-off of *job* with *params* would run; those that are checked are in memory."""
    given = iter(params)
    checked = list(islice(given, PREVIEW_CHECKED))
    total = len(checked) + sum(1 for _ in given)
    containers = shares.share_count(
        total, parallelism, settings.max_parallelism, settings.default_parallelism
    )
    return KickOffPreview(
        job_name=job.name,
        service=job.service or settings.service,
        instances=total,
        containers=containers,
        instances_per_container=-(-total // containers) if containers else 0,
        first_params=tuple(checked[:_SHOWN]),
        checked=len(checked),
        problems=tuple(find_problems(job, checked)),
    )


def explain_problem(problem: ParamsProblem) -> str:
    """Return a problem as a part of a sentence: ``customer is required``."""
    return f"{problem.field or 'the object'} {problem.message}"
