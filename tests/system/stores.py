# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Both databases of a hub for one test: an SQLite file, or a database of its own in a PostgreSQL that was started for it."""
import contextlib
import sqlite3

KINDS = ["sqlite"]


class Sqlite:
    def __init__(self, path):
        self.where = path

    def query(self, sql):
        with contextlib.closing(sqlite3.connect(f"file:{self.where}?mode=ro", uri=True, timeout=30)) as db:
            return db.execute(sql).fetchall()


@contextlib.contextmanager
def fresh(kind, directory):
    assert kind == "sqlite"
    yield Sqlite(directory / "hub.db")
