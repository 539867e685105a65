# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""How many events of kiosks the hub takes in a second, beside plain inserts of as many rows with the same two indexes, and
how long a reader waits; in a folder on this machine's disk."""
import hashlib
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time

ROWS = 200_000
A_TRANSACTION = 5000


def plain_inserts(folder):
    """Rows as wide as a punch, with its indexes: what SQLite alone can do here."""
    rows = [(hashlib.sha256(b"%d" % i).digest()[:16], i % 15000, i % 60, 1, 20758 + i // 30000, 1790000000000 + i, 1790000000000,
             1, 0, 4, 1, "", None, "2026-11-02T06:50:00", 1790000000000 + i, 1, 0.0) for i in range(ROWS)]
    db = sqlite3.connect(folder / "plain.db", isolation_level=None)
    db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;"
                     "CREATE TABLE p(id INTEGER PRIMARY KEY, event BLOB, person, device, kiosk, day, t_ms, received_ms, way, mark,"
                     " method, kind, gate, number, kiosk_time, kiosk_t_ms, correction, seconds);"
                     "CREATE UNIQUE INDEX p_event ON p(event); CREATE INDEX p_day ON p(device, day, person, t_ms)")
    start = time.monotonic()
    for first in range(0, ROWS, A_TRANSACTION):
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT INTO p VALUES(NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                       rows[first:first + A_TRANSACTION])
        db.execute("COMMIT")
    seconds = time.monotonic() - start
    db.close()
    print(f"{ROWS} plain inserts by SQLite alone within {seconds:.1f} s: {ROWS / seconds:.0f} in a second", flush=True)


with tempfile.TemporaryDirectory(prefix="sp-bench-", dir=os.environ.get("SP_BENCH_DIR", "/var/tmp")) as name:
    plain_inserts(pathlib.Path(name))
    program = pathlib.Path(os.environ["SP_BUILD"]) / "tests/bench/bench_hub_attendance"
    sys.exit(subprocess.run([program, name]).returncode)
