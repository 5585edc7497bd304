"""What holds for all tests: a slow machine is no reason to fail, and a run can be repeated.

A shell starts what it puts into the background with SIGINT ignored, and ``nohup`` does so with
SIGHUP; programs inherit that, and the tests that send one would wait for ever.  So they are given
their defaults here.

``pytest --hypothesis-profile=explore`` looks for examples that have not been tried.
"""

from __future__ import annotations

import signal

from hypothesis import settings

settings.register_profile("espshell", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("espshell")

signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
