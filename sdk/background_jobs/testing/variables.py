"""The variables of this process while a test has something that stands for AWS."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def replaced_variables(variables: Mapping[str, str], unwanted: Iterable[str] = ()) -> Iterator[None]:
    """Set *variables*, and remove the *unwanted*, within the context."""
    names = {*variables, *unwanted}
    before = {name: os.environ[name] for name in names if name in os.environ}
    try:
        for name in unwanted:
            os.environ.pop(name, None)
        os.environ.update(variables)
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)
        os.environ.update(before)
