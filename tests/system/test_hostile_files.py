# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Files that somebody gives to `import`: what is no register is refused whole, by file and line, and changes nothing; also what
a spreadsheet would take for a formula, since what is taken here is given out again for spreadsheets."""
import contextlib
import resource
import sqlite3
import subprocess

import pytest

import support

HUB = "[hub]\ndb = {run}/hub.db\n"
SCHOOLS = "school,school_name,school_kind,zone,pupils\n"
GOOD = SCHOOLS + "99010001,Trường Mầm non Kiến Giang,preschool,favourable,180\n"

BAD = {
    "UTF-16": GOOD.encode("utf-16"),
    "UTF-16 without a mark": GOOD.encode("utf-16-le"),
    "windows-1258": SCHOOLS.encode() + "99010001,Trường Mầm non Kiến Giang,preschool,,1\n".encode("cp1258", "replace") + b"\xd2\xec\n",
    "cut UTF-8": GOOD.encode()[:-1] + "ế".encode()[:2] + b"\n",
    "NUL": GOOD.encode().replace(b"Giang", b"Gia\0ng"),
    "a picture": bytes(range(256)) * 64,
    "a huge cell": SCHOOLS.encode() + b"99010001," + b"x" * 5_000_000 + b",preschool,,1\n",
    "a cell beyond its limit": SCHOOLS.encode() + b'99010001,"' + b"y" * 4097 + b'",preschool,,1\n',
    "a quote without an end": SCHOOLS.encode() + b'99010001,"Tr\n' + b"a,b,c,d,e\n" * 100_000,
    "a million columns": b"school," * 1_000_000 + b"\n",
    "no such column": b"school,school_name,colour\n1,A,red\n",
    "a column twice": b"school,school,school_name\n1,2,A\n",
    "two schools with one code": (GOOD + GOOD.splitlines()[1] + "\n").encode(),
    "a pupil too many": SCHOOLS.encode() + b"99010001,A,preschool,,99999999999999999999\n",
    "half a pupil": SCHOOLS.encode() + b"99010001,A,preschool,,1e999\n",
    "a code with a slash": SCHOOLS.encode() + b"99/../01,A,preschool,,1\n",
    "a code with a line's end": SCHOOLS.encode() + b'"99\n01",A,preschool,,1\n',
    "a control character": SCHOOLS.encode() + b"99010001,A\x1b[2Jb,preschool,,1\n",
    "text that turns around": SCHOOLS.encode() + "99010001,A\u202eb,preschool,,1\n".encode(),
    "an unknown kind": SCHOOLS.encode() + b"99010001,A,palace,,1\n",
    "nothing": b"",
    "a mark and nothing": b"\xef\xbb\xbf",
    "only a header's half": b"school",
}
FORMULAS = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "=HYPERLINK(\"http://example.invalid\")"]


class Hub:
    def __init__(self, run):
        self.run_dir = run
        self.conf = run / "hub.conf"
        self.conf.write_text(HUB.format(run=run))

    def __call__(self, *words, data=None):
        """With no more time than such files may cost."""
        def bounded():
            resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
        return subprocess.run([support.program("schoolpulse-hub"), "--config", self.conf, *map(str, words)], input=data,
                              capture_output=True, timeout=60, check=False, preexec_fn=bounded)

    def take(self, data, *words, name="file.csv"):
        path = self.run_dir / name
        path.write_bytes(data)
        return self("import", *words, path)

    def register(self):
        """Every row of it, but for the marks of what is to be computed anew."""
        with contextlib.closing(sqlite3.connect(self.run_dir / "hub.db")) as db:
            return {table: db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
                    for table in ("school_state", "site_state", "line_state", "placement", "area", "register")}


@pytest.fixture
def hub(run_dir):
    hub = Hub(run_dir)
    done = hub.take(GOOD.encode())
    assert done.returncode == 0, done.stderr
    return hub


def test_bad_files_change_nothing(hub):
    before = hub.register()
    assert before["school_state"]
    for what, data in BAD.items():
        done = hub.take(data)
        error = done.stderr.decode()  # whatever came in, what goes out is text
        assert done.returncode == 1, (what, done.returncode, error[:500])
        assert "file.csv" in error, (what, error[:500])
        assert len(error) < 20_000 and "\x1b" not in error and "\u202e" not in error, (what, error[:500])
        assert hub.register() == before, what
        if data.count(b"\n") == 2 and what not in ("a picture", "UTF-16", "UTF-16 without a mark"):
            assert "file.csv:2" in error or "file.csv:1" in error, (what, error[:300])


def test_every_mistake_is_told_by_its_line(hub):
    rows = "".join(f"9902{i:04},Trường {i},{'palace' if i % 2 else 'primary'},,{i}\n" for i in range(10))
    error = hub.take((SCHOOLS + rows).encode()).stderr.decode()
    assert [f"file.csv:{i + 2}" in error for i in range(10)] == [i % 2 == 1 for i in range(10)]


def test_two_files_are_taken_together_or_not_at_all(hub):
    before = hub.register()
    (hub.run_dir / "good.csv").write_text(SCHOOLS + "99010002,Trường B,primary,,1\n", encoding="utf-8")
    (hub.run_dir / "bad.csv").write_text("school,site,site_name\n99010002,chinh,\x07\n", encoding="utf-8")
    done = hub("import", hub.run_dir / "good.csv", hub.run_dir / "bad.csv")
    assert done.returncode == 1 and "bad.csv:2" in done.stderr.decode()
    assert hub.register() == before


def test_formulas_are_refused_by_line(hub):
    before = hub.register()
    rows = "".join('9903{:04},"{}",primary,,1\n'.format(i, name.replace('"', '""')) for i, name in enumerate(FORMULAS))
    error = hub.take((SCHOOLS + "99030099,Trường C = D + E,primary,,1\n" + rows).encode(), "--partial").stderr.decode()
    assert all(f"file.csv:{i + 3}" in error for i in range(len(FORMULAS))) and "file.csv:2" not in error, error
    assert hub.register() == before
