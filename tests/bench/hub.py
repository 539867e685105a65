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
import support  # noqa: E402

# Enough that no checkpoint falls into the few seconds of a run, for the limit as for the hub.
SETTINGS = {"max_wal_size": "4GB", "shared_buffers": "256MB", "synchronous_commit": "on"}


# The queue of a session must hold what the hub is behind: what is thrown away would be sent again after minutes.
BROKER = "max_queued_messages 0\nmax_inflight_messages 500\nset_tcp_nodelay true\n"
MESSAGES = 4000


def load(program, port, whose):
    done = subprocess.run([program, str(port), str(MESSAGES), whose], check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(f"the load generator failed with {whose}")
    return float(done.stdout)


def through_a_broker(build, folder, name, database):
    """The same load with nobody who listens, and with the hub, whose acknowledgements are waited for."""
    place = pathlib.Path(folder) / f"broker-{name}"
    broker = support.Broker(place, BROKER, persistence=False)
    broker.start()
    bare = load(build / "tests/bench/bench_hub_load", broker.port, "broker")
    config = place / "hub.conf"
    config.write_text(f"[hub]\ndb = {database}\n[mqtt]\nhost = 127.0.0.1\nport = {broker.port}\nshards = bench\n"
                      "bulk_receive_maximum = 500\n")
    hub = support.Process([build / "tools/hub/schoolpulse-hub", "--config", config, "ingest"], place / "hub.log")
    hub.wait_for(r"shard bench \(samples\): connected")
    stored = load(build / "tests/bench/bench_hub_load", broker.port, "hub")
    hub.stop()
    broker.stop()
    print(f"{name}, through mosquitto, {MESSAGES} messages over 8 connections")
    print(f"  {'load generator, hub: until it is acknowledged':52} {stored:10.0f} events/s")
    print(f"  {'load generator alone: until the broker has it':52} {bare:10.0f} events/s")
    print(f"  {'ratio':52} {stored / bare:10.2f}\n", flush=True)


def main():
    build = pathlib.Path(os.environ["SP_BUILD"])
    program = build / "tests/bench/bench_hub"
    disk = os.environ.get("SP_BENCH_DIR", "/var/tmp")
    with tempfile.TemporaryDirectory(prefix="sp-bench-", dir=disk) as folder:
        databases = [f"{folder}/hub-%d.db"]
        if not postgres.binaries():
            print("no PostgreSQL server on this machine: SQLite alone")
            result = subprocess.run([program, *databases], check=False).returncode
            through_a_broker(build, folder, "SQLite", f"{folder}/broker.db")
            return result
        with postgres.Cluster(tempfile.mkdtemp(prefix="sp-pg-", dir=disk), SETTINGS) as cluster:
            uris = [cluster.database(f"bench{i}") for i in range(6)]
            databases.append(uris[0].replace("bench0", "bench%d"))
            result = subprocess.run([program, *databases], check=False).returncode
            through_a_broker(build, folder, "SQLite", f"{folder}/broker.db")
            through_a_broker(build, folder, "PostgreSQL", cluster.database("broker"))
            return result


sys.exit(main())
