"""Threads for calls to AWS, which do without threads where Python starts none any more."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class ThreadPool(ThreadPoolExecutor):
    """A pool of threads that also works in `atexit` handlers and in threads that outlive the main one.

    There, Python refuses to start threads: each call is made at once by the thread that submits it.
    """

    def submit(self, function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Have a thread call *function*, or call it now."""
        try:
            return super().submit(function, *args, **kwargs)
        except RuntimeError:
            return _call_now(lambda: function(*args, **kwargs))


def _call_now(call: Callable[[], _T]) -> Future[_T]:
    future: Future[_T] = Future()
    try:
        future.set_result(call())
    except Exception as error:  # noqa: BLE001 -- whoever reads the future raises it
        future.set_exception(error)
    return future
