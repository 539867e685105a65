# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL that is gone or full: nothing is acknowledged meanwhile, what comes is held back in bounds, the log
says why, and it goes on by itself."""
import pathlib
import random
import re
import subprocess
import time

import pytest

import mqtt5
import postgres
import support
from test_ingest_fleet import RECORDS, Boards, Fleet, Stream, cluster  # noqa: F401  pylint: disable=unused-import

pytestmark = pytest.mark.skipif(postgres.binaries() is None, reason="PostgreSQL's server programs are not installed")

PUBLISHED_MB, HELD_MB = 90, 64


@pytest.fixture
def broker(run_dir):
    made = support.Broker(run_dir / "broker", "max_queued_messages 100000\nmax_queued_bytes 0\n")
    made.start()
    yield made
    made.stop()


def resident_mb(process):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{process.pid}/status").read_text()).group(1)) / 1024


def settled(boards):
    return not any(stream.batches for stream in boards.streams)


def start(run_dir, broker, uri):
    fleet = Fleet(pathlib.Path(run_dir), broker, uri)
    fleet.start("ingest0", ["s0"])
    fleet.processes["ingest0"].wait_for(r"shard s0 \(samples\): connected")
    boards = Boards(broker.port, "s0", 7)
    boards.start()
    support.wait_until(lambda: all(s.issued > 2 * RECORDS for s in boards.streams), "boards that are acknowledged")
    return fleet.processes["ingest0"], boards


def finish(boards):
    boards.making = False
    boards.join(support.PATIENCE)
    assert boards.error is None, boards.error
    assert settled(boards)


def check(cluster, boards):
    total = sum(stream.issued for stream in boards.streams)
    names = ",".join(f"'{stream.name}'" for stream in boards.streams)
    rows = cluster.sql(f"SELECT count(*) FROM event e JOIN stream s ON s.id = e.stream WHERE s.name IN ({names})", "hub")
    assert int(rows) == total


def flood(broker, stream):
    """Samples of another board, far more than the hub may hold; nobody sends them again."""
    client = mqtt5.Client(broker.port, "flood")
    filler = "x" * 15000
    for _ in range(PUBLISHED_MB * 16):
        stream.make()
        last, records = stream.batches.pop()
        for record in records[:4]:
            record["filler"] = filler
        client.publish(f"sp1/up/s0/{stream.device}/bulk", stream.payload(last, records))
    client.close()


def test_a_server_that_is_gone_is_waited_for(run_dir, broker, cluster):  # noqa: F811
    hub, boards = start(run_dir, broker, cluster.database("hub"))
    cluster.stop("immediate")
    hub.wait_for("nothing is acknowledged, trying again until it works|cannot ask for shards")
    boards.making = False
    before_mb = resident_mb(hub)
    flood(broker, Stream(random.Random(1), "s0-flood", "s0", "bulk"))
    time.sleep(1)
    held = [stream.batches for stream in boards.streams]
    assert any(held)  # nobody acknowledged them
    grown = resident_mb(hub) - before_mb
    print(f"{PUBLISHED_MB} MB published, the hub grew by {grown:.0f} MB")
    assert hub.running() and grown < HELD_MB
    assert [stream.batches for stream in boards.streams] == held
    cluster.start()
    finish(boards)
    check(cluster, boards)
    flooded = PUBLISHED_MB * 16 * RECORDS
    support.wait_until(lambda: int(cluster.sql("SELECT count(*) FROM event e JOIN stream s ON s.id = e.stream JOIN"
                                               " device d ON d.id = s.device WHERE d.name = 's0-flood'", "hub"))
                       == flooded, "what the broker held")
    assert hub.stop() == 0


@pytest.fixture
def small_disk(run_dir, cluster):  # noqa: F811
    place = run_dir / "disk"
    place.mkdir()
    run_dir.chmod(0o755)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=777", "tmpfs", place], check=False,
                      capture_output=True).returncode != 0:
        pytest.skip("no right to mount a small file system")
    try:
        space = place / "space"
        space.mkdir()
        subprocess.run(["chown", f"{cluster.uid}:{cluster.gid}", space], check=True)
        yield space
        cluster.stop("immediate")
    finally:
        subprocess.run(["umount", place], check=True)


def test_a_full_disk_is_waited_for(run_dir, broker, cluster, small_disk):  # noqa: F811
    cluster.sql(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
    cluster.sql("CREATE DATABASE hub TEMPLATE template0 ENCODING 'UTF8' TABLESPACE small")
    hub, boards = start(run_dir, broker, cluster.uri("hub"))
    filler = small_disk / "filler"
    with open(filler, "wb", buffering=0) as out:
        try:
            while True:
                out.write(bytes(1 << 16))
        except OSError:
            pass
    hub.wait_for("cannot commit .*(No space left|disk full|could not extend)")
    held = [stream.batches[:1] for stream in boards.streams]
    time.sleep(2)
    assert hub.running()
    assert [stream.batches[:1] for stream in boards.streams] == held  # nobody acknowledged them
    filler.unlink()
    finish(boards)
    check(cluster, boards)
    assert hub.stop() == 0
