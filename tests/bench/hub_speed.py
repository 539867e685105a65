# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""How long the hub takes to make evidence of a province's month of speed tests, in a folder on this machine's disk."""
import os
import pathlib
import subprocess
import sys
import tempfile

with tempfile.TemporaryDirectory(prefix="sp-bench-", dir=os.environ.get("SP_BENCH_DIR", "/var/tmp")) as folder:
    program = pathlib.Path(os.environ["SP_BUILD"]) / "tests/bench/bench_hub_speed"
    sys.exit(subprocess.run([program, folder]).returncode)
