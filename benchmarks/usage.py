"""Run a command and say on the last line of stderr what it used: `usage CPU_SECONDS PEAK_MB`. Needs nothing but Python."""

from __future__ import annotations

import resource
import subprocess
import sys

if __name__ == "__main__":
    code = subprocess.run(sys.argv[1:], check=False).returncode  # noqa: S603
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"usage {used.ru_utime + used.ru_stime:.2f} {used.ru_maxrss // 1024}", file=sys.stderr)
    sys.exit(code)
