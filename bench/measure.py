"""Runs one command and writes what it cost as JSON: measure.py REPORT LOG COMMAND ARGUMENT...

A small process of its own, because a child inherits its parent's peak memory as the floor of its own.
"""

import json
import os
import sys
import time

report, log, *command = sys.argv[1:]
to_log = [
    (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
    (os.POSIX_SPAWN_DUP2, 1, 2),
]
began = time.monotonic()
pid = os.posix_spawnp(command[0], command, os.environ, file_actions=to_log)
_, status, usage = os.wait4(pid, 0)
wall = time.monotonic() - began
with open(report, "w") as file:
    json.dump(
        {
            "exitCode": os.waitstatus_to_exitcode(status),
            "wallSeconds": wall,
            "cpuSeconds": usage.ru_utime + usage.ru_stime,
            "peakBytes": usage.ru_maxrss * 1024,
        },
        file,
    )
