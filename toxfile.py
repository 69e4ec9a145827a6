"""Gives all environments of one tox call the same run, parallel ones too."""

import os
import secrets
import time

os.environ.setdefault(
    "HARNESS_RUN", time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + f"-{secrets.token_hex(3)}"
)
