# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""How long the KPIs of a month take, of a province and of the country, on both stores; the days of sites are generated
rows. SP_BENCH_SCHOOLS makes the country smaller."""
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ["SP_BUILD"]) / "tests/bench/bench_kpi"
PLAN = ROOT / "tools/hub/plans/laocai-2022-2025.plan"
SCHOOLS = os.environ.get("SP_BENCH_SCHOOLS", "41000")

# Within `postgres.py use` the server of the fixture is named in the environment.
server = os.environ.get("SP_TEST_POSTGRES")
if server:
    sys.exit(subprocess.run([PROGRAM, server, PLAN, SCHOOLS]).returncode)
with tempfile.TemporaryDirectory(prefix="sp-bench-", dir=os.environ.get("SP_BENCH_DIR", "/var/tmp")) as folder:
    print("SQLite", flush=True)
    failed = subprocess.run([PROGRAM, f"{folder}/hub.db", PLAN, SCHOOLS]).returncode
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
