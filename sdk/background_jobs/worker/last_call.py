"""Whether the call of a function is the last thing that a process does."""

import dis
from types import FrameType
from typing import Final

_CALLS: Final = frozenset({"CALL", "CALL_FUNCTION_EX", "CALL_KW"})
_HARMLESS: Final = frozenset({"CACHE", "NOP", "POP_TOP", "LOAD_CONST"})
"""What only drops a value or loads a constant; any other instruction may have an effect."""
_RETURN: Final = frozenset({"RETURN_VALUE", "RETURN_CONST"})
_MODULE: Final = "<module>"
_RUNS_MODULES: Final = "runpy"
"""The module of Python's own whose functions run another one, for `python -m`, and then return."""


def is_last_call(caller: FrameType | None) -> bool:
    """Tell whether *caller* is a module that has nothing left to do, and was not called but by Python itself.

    A function may have locals that do something when it returns, or be called by what goes on.
    """
    if caller is None or not _only_returns(caller):
        return False
    below = caller.f_back
    while below is not None and below.f_globals.get("__name__") == _RUNS_MODULES:
        below = below.f_back
    return below is None


def _only_returns(frame: FrameType) -> bool:
    if frame.f_code.co_name != _MODULE or frame.f_trace is not None:
        return False
    done, left = "", []
    for instruction in dis.get_instructions(frame.f_code):
        if instruction.offset <= frame.f_lasti:
            done = instruction.opname
        else:
            left.append(instruction.opname)
    return done in _CALLS and next((name for name in left if name not in _HARMLESS), "") in _RETURN
