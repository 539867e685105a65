# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Marked things of persons, pushed through every protocol, and where they are looked for: in bytes of files, of messages,
and of a running program's memory as a core file would hold it."""
import base64
import os
import pathlib
import re

# Unmistakable, and of every kind that terminals hold. Numbers of persons first.
PINS = {"adms": "9152637480", "hikvision": "9152637481", "webhook": "9152637482", "zk4370": "9152637484", "cli": "9152637486",
        "broken": "9152637488", "hikvision, broken": "9152637490"}
CARDS = {"reader-0": 0x5ACA9A81, "reader-1": 13298241, "webhook": 9351726405}
NAME = "CANARY-NAME Nguyễn Thị Hoàng Yến"
WORDS = {"name": NAME, "name, upper case": NAME.upper(), "photo": "CANARY-PHOTO-8b1f", "template": "CANARY-TEMPLATE-7a2d",
         "password": "CANARY-PASSWORD-19c3", "temperature": "39.8716", "employee": "CANARY-EMPLOYEE-55e0", "face": "CANARY-FACE",
         "any": "CANARY"}
GB2312_NAME = "金丝雀"


# What libcurl's own buffers may hold of what a Hikvision terminal tells of itself (drivers/kiosk/README.md); its peer marks it.
LEFT_BY_LIBCURL = {"PIN of hikvision", "PIN of hikvision, broken", "face", "any"}


def needles():
    """What to look for: (what it is, bytes)."""
    out = [(what, word.encode()) for what, word in WORDS.items()]
    out += [("name in GB2312", GB2312_NAME.encode("gb2312")), ("name", GB2312_NAME.encode()),
            ("name in UTF-16", NAME.encode("utf-16-le"))]
    for where, pin in PINS.items():
        out += [(f"PIN of {where}", pin.encode()), (f"PIN of {where} in UTF-16", pin.encode("utf-16-le")),
                (f"PIN of {where} in base64", base64.b64encode(pin.encode())[:13]),
                (f"PIN of {where} in hexadecimal", pin.encode().hex().encode())]
    for where, card in CARDS.items():
        digits = f"{card:X}".encode()
        out += [(f"card of {where}", str(card).encode()), (f"card of {where} in hexadecimal", digits),
                (f"card of {where} in hexadecimal", digits.lower())]
        size = (card.bit_length() + 7) // 8
        if size > 4:  # shorter ones turn up by chance
            out += [(f"card of {where} in bytes", card.to_bytes(size, order)) for order in ("big", "little")]
    return out


NEEDLES = needles()


def find(data):
    """Which of them are in these bytes."""
    return sorted({what for what, needle in NEEDLES if needle in data})


def find_in_files(*places):
    """(path, what) in all files below; databases as the raw bytes that they are."""
    out = []
    for place in map(pathlib.Path, places):
        for path in [place] if place.is_file() else sorted(place.rglob("*")):
            if path.is_file():
                out += [(str(path), what) for what in find(path.read_bytes()) + find(path.name.encode())]
    return out


def memory(pid):
    """Each stretch of a running program's memory that a core file would hold: what is written to it or may be, and is not left
    out by madvise. (where, bytes)"""
    stretches, current = [], None
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+\s*(.*)", line)
        if head:
            current = [int(head[1], 16), int(head[2], 16), head[3], head[4], True]
            stretches.append(current)
        elif line.startswith("VmFlags:"):
            current[4] = " dd" not in line and " io" not in line
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for start, end, rights, name, dumped in stretches:
            if not dumped or "r" not in rights or name in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
                continue
            data = bytearray()
            while start + len(data) < end:
                try:
                    os.lseek(mem.fileno(), start + len(data), os.SEEK_SET)
                    piece = os.read(mem.fileno(), min(end - start - len(data), 1 << 22))
                except OSError:
                    break
                if not piece:
                    break
                data += piece
            yield f"{start:x} {rights} {name or 'anonymous'}", bytes(data)


def find_in_memory(pid):
    return [(where, what) for where, data in memory(pid) for what in find(data)]
