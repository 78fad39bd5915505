"""Whether the call of a function is the last thing that a process does."""

import dis
from types import FrameType
from typing import Final

_HARMLESS: Final = frozenset({"CACHE", "NOP", "POP_TOP", "LOAD_CONST", "LOAD_FAST", "LOAD_FAST_BORROW"})
"""The instructions that only hand on a value; any other, also of a later Python, may have an effect."""
_RETURN: Final = frozenset({"RETURN_VALUE", "RETURN_CONST"})


def is_last_call(caller: FrameType | None) -> bool:
    """Tell whether *caller*, and all that called it in turn, have nothing left to do but to return."""
    while caller is not None:
        if not _only_returns(caller):
            return False
        caller = caller.f_back
    return True


def _only_returns(frame: FrameType) -> bool:
    left = (found.opname for found in dis.get_instructions(frame.f_code) if found.offset > frame.f_lasti)
    return next((name for name in left if name not in _HARMLESS), "") in _RETURN
