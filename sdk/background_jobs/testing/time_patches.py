"""The clock of this package's modules, and that of jobs, replaced by a virtual one while a twin is open."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime, tzinfo
from types import ModuleType
from typing import Any, Final, NoReturn, Self, TypeVar

from background_jobs.testing.event_loop import new_event_loop
from background_jobs.testing.processes import Killed, current_process
from background_jobs.testing.time_functions import STAND_INS, calling, stand_ins_in
from background_jobs.testing.virtual_time import LOOK_SECONDS, VirtualTime

_T = TypeVar("_T")
_PARTS: Final = tuple(
    f"background_jobs.{part}"
    for part in ("aio", "aws", "control_plane", "jobs", "orchestration_service", "worker")
)
"""The parts that read the clock; what is in `core` is told the time."""
_CALLERS: Final = ("background_jobs.aio", "background_jobs.orchestration_service")
"""The parts that callers use on an event loop."""
_REAL_EXIT: Final = os._exit


class _Time:
    """Stands for the module `time` in modules of this package."""

    def __init__(self, virtual: VirtualTime) -> None:
        self._virtual = virtual

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever the module has
        return getattr(time, name)

    def sleep(self, seconds: float) -> None:
        sleep(self._virtual, seconds)

    def monotonic(self) -> float:
        return self._virtual.seconds

    perf_counter = monotonic

    def time(self) -> float:
        return self._virtual.now().timestamp()

    def clock_gettime(self, _clock: int) -> float:
        return self._virtual.seconds


class _Datetime:
    """Stands for the class `datetime` in modules of this package."""

    def __init__(self, virtual: VirtualTime) -> None:
        self._virtual = virtual

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever the class has
        return getattr(datetime, name)

    def __call__(self, *args: Any, **kwargs: Any) -> datetime:  # noqa: ANN401 -- those of the class
        return datetime(*args, **kwargs)  # noqa: DTZ001 -- whoever calls it says so

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, datetime)

    def now(self, zone: tzinfo | None = None) -> datetime:
        return self._virtual.now().astimezone(zone)


class _Asyncio:
    """Stands for the module `asyncio` in modules of callers; in a job, all happens in its own thread."""

    def __init__(self, virtual: VirtualTime) -> None:
        self._virtual = virtual

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever the module has
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        if current_process() is None:
            await asyncio.to_thread(sleep, self._virtual, seconds)
        else:
            await asyncio.sleep(seconds)

    async def to_thread(self, function: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T:  # noqa: ANN401 -- those of the function
        if current_process() is None:
            return await asyncio.to_thread(function, *args, **kwargs)
        return function(*args, **kwargs)

    def run_coroutine_threadsafe(
        self, coroutine: Coroutine[Any, Any, _T], loop: asyncio.AbstractEventLoop
    ) -> Future[_T]:
        if current_process() is None:
            return asyncio.run_coroutine_threadsafe(coroutine, loop)
        coroutine.close()
        raise RuntimeError(
            "On a twin, a job cannot give `aio` an asynchronous iterable of params: give it a list."
        )


class _CallingNow:
    """Stands for a pool of threads, and makes each call at once: only one thread runs at a time."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None: ...

    def submit(self, function: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:  # noqa: ANN401 -- those of the function
        future: Future[_T] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 -- whoever reads the future raises it
            future.set_exception(error)
        return future

    def map(self, function: Callable[..., _T], *iterables: Iterable[Any]) -> Iterator[_T]:
        return iter([function(*args) for args in zip(*iterables, strict=False)])


def sleep(virtual: VirtualTime, seconds: float) -> None:
    """Let so much virtual time pass for whoever calls: a container, a caller, or what happens now."""
    process = current_process()
    if process is not None:
        process.sleep(seconds)
    else:
        virtual.pass_by(seconds)


def look(virtual: VirtualTime) -> None:
    """Let the time of a look pass, unless what looks is itself something that happens at this moment."""
    if current_process() is not None or not virtual.is_passing_here():
        sleep(virtual, LOOK_SECONDS)


@contextmanager
def virtual_clock(virtual: VirtualTime, job_modules: Iterable[str]) -> Iterator[None]:
    """Have this package, and the jobs of containers, tell time by *virtual* within the context.

    In the thread that enters it, `time.sleep` lets virtual time pass, too. *job_modules* are those of the
    jobs; what they have imported from `time` is replaced as well.
    """
    modules = [module for name, module in list(sys.modules.items()) if name.startswith(_PARTS)]
    stand_ins: list[tuple[ModuleType, Mapping[str, object]]] = [
        (module, _stand_ins(module, virtual)) for module in modules
    ]
    of_jobs = [sys.modules[name] for name in set(job_modules) if name in sys.modules]
    stand_ins += [(module, stand_ins_in(vars(module))) for module in of_jobs]
    stand_ins.append((time, STAND_INS))
    stand_ins.append((asyncio.events, {"new_event_loop": new_event_loop}))
    stand_ins.append((os, {"_exit": _end_process}))
    before = [(module, {name: getattr(module, name) for name in names}) for module, names in stand_ins]
    try:
        _set(stand_ins)
        with calling(virtual):
            yield
    finally:
        _set(before)


def _set(values: Iterable[tuple[ModuleType, Mapping[str, object]]]) -> None:
    for module, named in values:
        for name, value in named.items():
            setattr(module, name, value)


def _stand_ins(module: ModuleType, virtual: VirtualTime) -> dict[str, object]:
    names, found = vars(module), dict[str, object]()
    if names.get("time") is time:
        found["time"] = _Time(virtual)
    if names.get("datetime") is datetime:
        found["datetime"] = _Datetime(virtual)
    if names.get("asyncio") is asyncio and module.__name__.startswith(_CALLERS):
        found["asyncio"] = _Asyncio(virtual)
    return found | {name: _CallingNow for name in ("ThreadPool", "ThreadPoolExecutor") if name in names}


def _end_process(code: int) -> NoReturn:
    """End the process that a container's job runs in, or else this one, as `os._exit` does."""
    process = current_process()
    if process is None:
        _REAL_EXIT(code)
    process.exit_code = code
    raise Killed
