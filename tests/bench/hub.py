# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Hub events a second into SQLite beside a bare insert loop, in a folder on this machine's disk."""
import os
import pathlib
import subprocess
import sys
import tempfile

with tempfile.TemporaryDirectory(prefix="sp-bench-", dir=os.environ.get("SP_BENCH_DIR", "/var/tmp")) as folder:
    program = pathlib.Path(os.environ["SP_BUILD"]) / "tests/bench/bench_hub"
    sys.exit(subprocess.run([program, folder]).returncode)
