# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""What a look for regional incidents costs in a country of boards, on both stores; the boards are generated rows.
SP_BENCH_BOARDS makes the country smaller."""
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ["SP_BUILD"]) / "tests/bench/bench_incident"
BOARDS = os.environ.get("SP_BENCH_BOARDS", "41000")

# Within `postgres.py use` the server of the fixture is named in the environment.
server = os.environ.get("SP_TEST_POSTGRES")
if server:
    sys.exit(subprocess.run([PROGRAM, server, BOARDS]).returncode)
with tempfile.TemporaryDirectory(prefix="sp-bench-", dir=os.environ.get("SP_BENCH_DIR", "/var/tmp")) as folder:
    print("SQLite", flush=True)
    failed = subprocess.run([PROGRAM, f"{folder}/hub.db", BOARDS]).returncode
    postgres = [sys.executable, "-B", ROOT / "tests/system/postgres.py"]
    print("PostgreSQL", flush=True)
    # Its server runs as another user, who could not enter our folder.
    cluster = f"/tmp/sp-pg-bench-{os.getpid()}"
    subprocess.run([*postgres, "start", cluster], check=True)
    try:
        failed |= subprocess.run([*postgres, "use", cluster, "--", sys.executable, "-B", __file__]).returncode
    finally:
        subprocess.run([*postgres, "stop", cluster], check=False)
    sys.exit(failed)
