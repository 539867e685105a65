# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Hub events a second into SQLite and PostgreSQL, in one run, each beside its limit, on this machine's disk."""
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/system"))
import postgres  # noqa: E402

# Enough that no checkpoint falls into the few seconds of a run, for the limit as for the hub.
SETTINGS = {"max_wal_size": "4GB", "shared_buffers": "256MB", "synchronous_commit": "on"}


def main():
    program = pathlib.Path(os.environ["SP_BUILD"]) / "tests/bench/bench_hub"
    disk = os.environ.get("SP_BENCH_DIR", "/var/tmp")
    with tempfile.TemporaryDirectory(prefix="sp-bench-", dir=disk) as folder:
        sqlite = f"{folder}/hub-%d.db"
        if not postgres.binaries():
            print("no PostgreSQL server on this machine: SQLite alone")
            return subprocess.run([program, sqlite], check=False).returncode
        cluster = postgres.Cluster(tempfile.mkdtemp(prefix="sp-pg-", dir=disk), SETTINGS)
        with cluster:
            uris = [cluster.database(f"bench{i}") for i in range(6)]
            return subprocess.run([program, sqlite, uris[0].replace("bench0", "bench%d")], check=False).returncode


sys.exit(main())
