"""Who somebody at a terminal is."""

from __future__ import annotations

import os
import pwd

from approvals.model import Actor


def operator() -> Actor:
    """Who the operating system says we are; the environment's USER and LOGNAME could say anything."""
    name = pwd.getpwuid(os.getuid()).pw_name
    return Actor(id=f"operator:{name}", name=name)
