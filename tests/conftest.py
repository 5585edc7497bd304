"""What holds for all tests: a slow machine is no reason to fail, and a run can be repeated.

A shell starts what it puts into the background with SIGINT ignored, and programs inherit that: the
tests that send one would wait for ever.  So it is given its default here.

``pytest --hypothesis-profile=explore`` looks for examples that have not been tried.
"""

from __future__ import annotations

import signal

from hypothesis import settings

settings.register_profile("espshell", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("espshell")

signal.signal(signal.SIGINT, signal.default_int_handler)
