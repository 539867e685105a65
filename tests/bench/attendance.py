# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""What a school's morning costs the journal, and a terminal that uploads its whole memory at once, in a folder on this machine's disk.

SP_BENCH_SECONDS=600 plays the whole ten minutes of the peak instead of one."""
import os
import pathlib
import subprocess
import sys
import tempfile

with tempfile.TemporaryDirectory(prefix="sp-bench-", dir=os.environ.get("SP_BENCH_DIR", "/var/tmp")) as folder:
    program = pathlib.Path(os.environ["SP_BUILD"]) / "tests/bench/bench_attendance"
    sys.exit(subprocess.run([program, folder, os.environ.get("SP_BENCH_SECONDS", "60")]).returncode)
