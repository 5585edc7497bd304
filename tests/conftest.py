"""What holds for all tests: a slow machine is no reason to fail, and a run can be repeated.

``pytest --hypothesis-profile=explore`` looks for examples that have not been tried.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("espshell", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("espshell")
