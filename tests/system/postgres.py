# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server of one's own: a fresh cluster in a temporary folder, reached by a unix socket only, run as an
ordinary user, gone afterwards. For pytest:

    with postgres.Cluster() as cluster:
        uri = cluster.database("hub")

For ctest and by hand (SP_TEST_POSTGRES names a database to the program, which may make others):

    postgres.py run -- PROGRAM...     a server for this program
    postgres.py start FOLDER          one that ends with `stop`, or with whoever ran `start`
    postgres.py use FOLDER -- PROGRAM...    a database of it; exit status 77 where there is no PostgreSQL
    postgres.py stop FOLDER
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
# Nothing but what a test needs; fsync stays on where a test is about what a commit promises.
SETTINGS = {
    "listen_addresses": "", "max_connections": "60", "shared_buffers": "64MB", "fsync": "on",
    "max_wal_size": "512MB", "max_locks_per_transaction": "256", "log_min_messages": "warning",
    "log_checkpoints": "off", "timezone": "UTC", "log_timezone": "UTC",
}


def binaries():
    """The newest server's programs; None: there is none on this machine."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[4]))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return pathlib.Path(initdb).resolve().parent if initdb else None


def as_user():
    """PostgreSQL does not run as root: (words before a command, uid, gid)."""
    if os.geteuid() != 0:
        return [], os.geteuid(), os.getegid()
    import pwd
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return (["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"],
                user.pw_uid, user.pw_gid)
    raise RuntimeError("no user to run PostgreSQL as")


class Cluster:
    def __init__(self, folder=None, settings=None):
        self.bin = binaries()
        if not self.bin:
            raise FileNotFoundError("PostgreSQL's server programs are not installed")
        # The socket's path must be short.
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="sp-pg-", dir="/tmp"))
        self.settings = {**SETTINGS, **(settings or {})}
        self.user, self.uid, self.gid = as_user()
        self.data = self.folder / "data"

    def command(self, *words, check=True):
        done = subprocess.run([*self.user, *map(str, words)], cwd="/", stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"{words[0]}: {done.stdout}")
        return done

    def make(self):
        self.folder.mkdir(exist_ok=True)
        os.chown(self.folder, self.uid, self.gid)
        self.folder.chmod(0o755)
        self.command(self.bin / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                     "--no-locale", "--no-sync")

    def start(self):
        options = " ".join(f"-c {key}='{value}'" for key, value in self.settings.items())
        self.command(self.bin / "pg_ctl", "-D", self.data, "-w", "-t", "60", "-l", self.folder / "log", "-o",
                     f"{options} -k {self.folder}", "start")

    def stop(self, mode="fast"):
        if (self.data / "postmaster.pid").exists():
            self.command(self.bin / "pg_ctl", "-D", self.data, "-w", "-t", "60", "-m", mode, "stop", check=False)

    def remove(self):
        self.stop("immediate")
        subprocess.run(["rm", "-rf", "--one-file-system", str(self.folder)], check=False)

    def uri(self, database="postgres"):
        return f"postgresql:///{database}?host={self.folder}&user=postgres"

    def sql(self, text, database="postgres"):
        """What psql prints of it, unaligned."""
        done = self.command(self.bin / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.folder,
                            "-U", "postgres", "-d", database, "-c", text)
        return done.stdout.strip()

    def database(self, name):
        self.sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        return self.uri(name)

    def __enter__(self):
        try:
            self.make()
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()


def watch(folder, parent):
    """In a process of its own: when `parent` ends without `stop`, as ctest does when it is interrupted."""
    if os.fork():
        return
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    while pathlib.Path(folder).exists():
        try:
            os.kill(parent, 0)
        except OSError:
            Cluster(folder).remove()
        time.sleep(1)
    os._exit(0)


def run(program, uri):
    return subprocess.run(program, env={**os.environ, "SP_TEST_POSTGRES": uri}, check=False).returncode


def main(words):
    verb, folder = words[0], words[1] if len(words) > 1 else None
    program = words[words.index("--") + 1:] if "--" in words else []
    if not binaries():
        print("skipped: PostgreSQL's server programs are not installed (Debian: postgresql)")
        return SKIPPED if verb in ("use", "run") else 0
    if verb == "run":
        with Cluster(settings={"fsync": "off"}) as cluster:
            return run(program, cluster.uri())
    # Unit tests cut no power and read few rows: what the disk, the compiler and the vacuum do would only cost time.
    cluster = Cluster(folder, {"fsync": "off", "full_page_writes": "off", "wal_level": "minimal", "max_wal_senders": "0",
                               "jit": "off", "autovacuum": "off"})
    if verb == "start":
        cluster.remove()  # of a run that was killed
        cluster.__enter__()
        watch(folder, os.getppid())
    elif verb == "use":
        # Locks of readers and writers are a database's: programs side by side would wait for each other's.
        name = f"used_by_{os.getpid()}"
        try:
            return run(program, cluster.database(name))
        finally:
            cluster.sql(f"DROP DATABASE {name} WITH (FORCE)")
    elif verb == "stop":
        cluster.remove()
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in ("run", "start", "use", "stop"):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
