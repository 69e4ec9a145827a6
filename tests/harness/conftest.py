"""What all tests of the harness have around them."""

from __future__ import annotations

import os

# They start hundreds of interpreters, each of which would compile all that it imports again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# tox's run, in which these tests are, is none that they make or judge.
os.environ.pop("HARNESS_RUN", None)
