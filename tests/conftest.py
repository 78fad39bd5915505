"""What all tests share.

Properties are tried without a clock, for a shared machine may be slow. Ctrl-C works in the processes that tests
start, though a shell ignores it for what it runs in the background. What libraries want done at the end of the
tests is not done in a process that a test forks.
"""

import atexit
import os
import signal

from hypothesis import HealthCheck, settings

settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clock")
signal.signal(signal.SIGINT, signal.default_int_handler)
os.register_at_fork(after_in_child=atexit._clear)
