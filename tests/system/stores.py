# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Both databases of a hub for one test: an SQLite file, or a database of its own in a PostgreSQL that was started for it."""
import contextlib
import csv
import io
import sqlite3

import postgres
import pytest

KINDS = ["sqlite", "postgres"]


class Sqlite:
    def __init__(self, path):
        self.where = path

    def query(self, sql):
        with contextlib.closing(sqlite3.connect(f"file:{self.where}?mode=ro", uri=True, timeout=30)) as db:
            return db.execute(sql).fetchall()


class Postgres:
    """Rows of texts."""

    def __init__(self, cluster):
        self.cluster, self.where = cluster, cluster.database("hub")

    def query(self, sql):
        done = self.cluster.command(self.cluster.bin / "psql", "-X", "-q", "--csv", "-t", "-v", "ON_ERROR_STOP=1", "-h",
                                    self.cluster.folder, "-U", "postgres", "-d", "hub", "-c", sql)
        return [tuple(row) for row in csv.reader(io.StringIO(done.stdout))]


@contextlib.contextmanager
def fresh(kind, directory):
    if kind == "sqlite":
        yield Sqlite(directory / "hub.db")
        return
    if not postgres.binaries():
        pytest.skip("PostgreSQL's server programs are not installed")
    with postgres.Cluster() as cluster:
        yield Postgres(cluster)
