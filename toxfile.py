"""Gives all environments of one tox call the same run, parallel ones too."""

import os
import secrets
import time

if not os.environ.get("HARNESS_RUN"):  # empty, `report` would judge whatever run is the newest
    os.environ["HARNESS_RUN"] = (
        time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + f"-{secrets.token_hex(3)}"
    )
