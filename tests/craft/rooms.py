# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Who may include whom (design: one direction, no shortcuts), and who owns which library.

CMake gives a room only the include paths that it may use; this says so by name, also for tests'
helpers and for the one owner file of each third-party header. `--prove` feeds it offending lines
and expects each to be found."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]')

# Room -> prefixes of our own headers that it may name. The longest matching room decides.
ROOMS = {
    "include/": ["schoolpulse/"],
    "drivers/": ["schoolpulse/", "drivers/"],
    "boards/": ["schoolpulse/", "boards/"],
    "agent/base/": ["schoolpulse/", "agent/base/"],
    "agent/core/": ["schoolpulse/", "agent/base/", "agent/core/"],
    "agent/cli/": ["schoolpulse/", "agent/base/", "agent/cli/"],
    "agent/main.c": ["schoolpulse/", "agent/base/", "agent/core/", "drivers/registry.h"],
    "tools/": ["schoolpulse/", "agent/base/", "tools/"],
    "tests/": ["schoolpulse/", "agent/", "drivers/", "boards/", "tools/", "tests/"],
}
OURS = ("schoolpulse/", "agent/", "drivers/", "boards/", "tools/", "tests/")

# Third-party header -> who may name it, as regular expressions over paths. Tests may use what they test with.
OWNERS = {
    "uv.h": r"agent/(core|cli)/.*|agent/main\.c",
    "curl/curl.h": r"agent/base/http_(client|flow|job|login|transfer)\w*\.[ch]|drivers/speed/ndt7_line\.c",
    "microhttpd.h": r"agent/base/http_(server\w*|call)\.[ch]",
    "mosquitto.h": r"agent/base/mqtt\w*\.[ch]",
    "mqtt_protocol.h": r"agent/base/mqtt\w*\.[ch]",
    "cjson/cJSON.h": r"agent/(base|core|cli)/.*|tools/hub/.*|drivers/speed/ndt7_json\.c",
    "sqlite3.h": r"agent/core/journal/\w+\.[ch]|tools/hub/db/db_sqlite\w*\.[ch]",
    "libpq-fe.h": r"tools/hub/db/db_postgres\w*\.[ch]",
    "zlib.h": r"agent/base/.*",
    "openssl/*": r"agent/base/(hmac|ids|seal|sign|tls|mqtt|http_login)\.c|drivers/speed/ndt7_upgrade\.c|drivers/kiosk/webhook_sign\.c",
    "libevdev/*": r"drivers/kiosk/card_reader_keys\.c",
    "libmnl/*": r"drivers/link/.*",
    "net-snmp/*": r"drivers/link/snmp_session\.c",
    "pcap/pcap.h": r"drivers/link/capture_helper\.c",
    "seccomp.h": r"drivers/link/capture_rights\.c",
    "systemd/*": r"agent/main\.c|agent/core/watchdog\.c",
    "cap-ng.h": r"agent/main\.c",
}


def room_of(path):
    return max((room for room in ROOMS if path.startswith(room)), key=len, default=None)


def owner_of(header):
    for pattern, owner in OWNERS.items():
        if header == pattern or (pattern.endswith("/*") and header.startswith(pattern[:-1])):
            return owner
    return None


def fault(path, header):
    """Why `path` may not include `header`, or None."""
    room = room_of(path)
    if room is None:
        return f"{path} is in no room"
    directory = path.rsplit("/", 1)[0] + "/"
    ours = header.startswith(OURS) or (ROOT / directory / header).exists()
    if ours:
        name = header if header.startswith(OURS) else directory + header
        if room == "drivers/":
            # A driver may use its own class's protocol files, never another driver's. What stands directly in
            # drivers/, the skeleton, has what stands there, too, and no class.
            if path.count("/") == 1:
                family, kin = path, name.count("/") == 1
            else:
                family = "/".join(path.split("/")[:2]) + "/"
                kin = name.startswith(family)
            if name.startswith("drivers/") and not kin and path != "drivers/registry.c" \
                    and name != "drivers/registry.h":
                return f"{family} may not include {name}"
        if not name.startswith(tuple(ROOMS[room])):
            return f"room {room} may not include {name}"
        return None
    owner = owner_of(header)
    if owner and not path.startswith("tests/") and not re.fullmatch(owner, path):
        return f"<{header}> belongs to {owner}"
    return None


def check():
    faults = 0
    files = 0
    for top in ("include", "agent", "drivers", "boards", "tools", "tests"):
        for file in sorted((ROOT / top).rglob("*.[ch]")):
            path = file.relative_to(ROOT).as_posix()
            files += 1
            text = file.read_text(encoding="utf-8")
            if "SPDX-License-Identifier: Apache-2.0" not in text[:300]:
                print(f"{path}:1: no SPDX lines")
                faults += 1
            lines = text.splitlines()
            # A test file holds one bench and its cases, and may grow somewhat longer.
            if len(lines) > (600 if path.startswith("tests/") else 500):
                print(f"{path}:500: {len(lines)} lines: this has become two things")
                faults += 1
            for number, line in enumerate(lines, 1):
                match = INCLUDE.match(line)
                why = match and fault(path, match.group(1))
                if why:
                    print(f"{path}:{number}: {why}")
                    faults += 1
    print(f"{files} files, {faults} faults")
    return faults == 0 and files > 0


def prove():
    """The check must see each of these, and none of those."""
    wrong = [
        ("drivers/link/carrier.c", "agent/base/buf.h"),
        ("drivers/link/carrier.c", "boards/generic.h"),
        ("drivers/link/carrier.c", "drivers/gear/snmp.h"),
        ("drivers/link/carrier.c", "drivers/skeleton_wire.h"),
        ("drivers/link/carrier.c", "drivers/linked/carrier.h"),
        ("drivers/skeleton.c", "drivers/link/carrier.h"),
        ("drivers/skeleton.c", "agent/base/buf.h"),
        ("boards/generic.c", "agent/core/journal/journal.h"),
        ("include/schoolpulse/io.h", "agent/base/buf.h"),
        ("agent/base/buf.c", "agent/core/journal/journal.h"),
        ("tools/hub/main.c", "agent/core/journal/journal.h"),
        ("agent/core/journal/journal.c", "drivers/link/carrier.h"),
        ("drivers/link/reach.c", "sqlite3.h"),
        ("drivers/link/reach.c", "cjson/cJSON.h"),
        ("agent/core/publisher/publisher.c", "mosquitto.h"),
        ("tools/hub/ingest/ingest.c", "openssl/evp.h"),
        ("agent/base/http_client.c", "microhttpd.h"),
        ("agent/base/http_caller.c", "microhttpd.h"),
        ("tools/hub/store/batch.c", "sqlite3.h"),
        ("tools/hub/db/db_sqlite.c", "libpq-fe.h"),
    ]
    right = [
        ("drivers/link/carrier.c", "schoolpulse/io.h"),
        ("drivers/link/carrier.c", "drivers/link/netlink.h"),
        ("drivers/skeleton.c", "drivers/skeleton_wire.h"),
        ("drivers/skeleton_wire.c", "skeleton_wire.h"),
        ("agent/base/http_call.h", "microhttpd.h"),
        ("agent/base/http_server.c", "microhttpd.h"),
        ("agent/core/journal/journal.c", "sqlite3.h"),
        ("tools/hub/main.c", "agent/base/config.h"),
        ("tests/unit/core/test_journal.c", "sqlite3.h"),
        ("agent/core/journal/journal.c", "stdio.h"),
    ]
    missed = [pair for pair in wrong if not fault(*pair)]
    blamed = [pair for pair in right if fault(*pair)]
    for pair in missed + blamed:
        print("wrongly judged:", *pair)
    return not missed and not blamed


if __name__ == "__main__":
    sys.exit(0 if (prove() if "--prove" in sys.argv else check()) else 1)
