"""The variables of this process while a test has something that stands for AWS."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final

_NOWHERE: Final = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    # Nobody listens there.
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
    "AWS_EC2_METADATA_DISABLED": "true",
    # A profile may name endpoints, and ways to get credentials.
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@contextmanager
def replaced_variables(variables: Mapping[str, str], unwanted: Iterable[str] = ()) -> Iterator[None]:
    """Set *variables*, and remove the *unwanted*, within the context."""
    names = {*variables, *unwanted}
    before = {name: os.environ[name] for name in names if name in os.environ}
    try:
        for name in names - variables.keys():
            os.environ.pop(name, None)
        os.environ.update(variables)
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)
        os.environ.update(before)


def without_aws() -> AbstractContextManager[None]:
    """Return a context in which no client reaches AWS, whatever account the variables name outside of it."""
    unwanted = [name for name in os.environ if name.startswith("AWS_") and name not in _NOWHERE]
    return replaced_variables(_NOWHERE, unwanted)
