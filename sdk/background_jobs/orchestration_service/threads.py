"""Bridges between an event loop and threads, of which the asynchronous handles are made."""

import asyncio
from collections.abc import AsyncIterable, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

_T = TypeVar("_T")
_H = TypeVar("_H")
_P = ParamSpec("_P")


def in_thread(
    method: Callable[Concatenate[Any, _P], _T],
) -> Callable[Concatenate[Any, _P], Coroutine[Any, Any, _T]]:
    """Return the asynchronous twin of *method*, with its docstring, which runs it in a thread."""

    @wraps(method)
    async def run(self: Any, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:  # noqa: ANN401 -- a twin of its class
        return await asyncio.to_thread(method, self._sync, *args, **kwargs)

    return run


def attach_in_thread(
    method: Callable[Concatenate[Any, _P], _T], attach: Callable[[_T], _H]
) -> Callable[Concatenate[Any, _P], Coroutine[Any, Any, _H]]:
    """Return the asynchronous twin of *method*, whose answer is the handle that *attach* makes."""

    @wraps(method)
    async def run(self: Any, /, *args: _P.args, **kwargs: _P.kwargs) -> _H:  # noqa: ANN401 -- a twin of its class
        return attach(await asyncio.to_thread(method, self._sync, *args, **kwargs))

    return run


def iterate_in_thread(items: AsyncIterable[_T], loop: asyncio.AbstractEventLoop) -> Iterator[_T]:
    """Yield *items*, which *loop* reads, in another thread."""
    iterator = items.__aiter__()

    async def read_next() -> _T:
        return await anext(iterator)

    while True:
        try:
            yield asyncio.run_coroutine_threadsafe(read_next(), loop).result()
        except StopAsyncIteration:
            return
