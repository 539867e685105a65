# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A simulated card reader at a serial port, and who stands before it: shows a card again and again until the green light
says that it was kept. The port is a pseudo-terminal, the lights are files of a made-up machine ([board] root)."""
import os
import pathlib
import pty
import threading
import time

AGAIN = 0.5  # how long somebody waits for the light before showing the card again
HELD = 1.0   # the driver lights up for a card that is held there so often: see card_reader.c


def rdm6300(number):
    """EM4100: ten digits, their XOR; the first byte is the maker's."""
    data = bytes([0x10]) + number.to_bytes(4, "big")
    check = 0
    for byte in data:
        check ^= byte
    return b"\x02" + (data + bytes([check])).hex().upper().encode() + b"\x03"


def dual(number):
    data = bytes([0x09, 0x02]) + number.to_bytes(4, "big")
    check = 0
    for byte in data:
        check ^= byte
    return b"\x02" + data + bytes([check]) + b"\x03"


def wiegand26(number):
    bits = f"{number & 0xffffff:024b}"
    even = str(bits[:12].count("1") % 2)
    odd = str(1 - bits[12:].count("1") % 2)
    return (even + bits + odd).encode() + b"\r\n"


def lines(number):
    return f"{number:010d}\r\n".encode()


FRAMES = {"rdm6300": rdm6300, "dual": dual, "wiegand26": wiegand26, "lines": lines}


class Reader:
    """`folder` holds its port, `root` the made-up machine. Plugged in at once."""

    def __init__(self, folder, root, name="reader", protocol="rdm6300"):
        self.name, self.protocol = name, protocol
        self.port = pathlib.Path(folder) / f"{name}.port"
        self.leds = {}
        for light in ("green", "red"):
            led = pathlib.Path(root) / "sys/class/leds" / f"{name}-{light}"
            led.mkdir(parents=True, exist_ok=True)
            (led / "brightness").write_text("0\n", encoding="ascii")
            self.leds[light] = led / "brightness"
        self.accepted = []  # numbers whose green light was seen, in order
        self.frames = 0     # sent
        self.lights = 0     # red ones seen
        self.ended = threading.Event()
        self.master = self.slave = -1
        self.plug()

    def section(self, device=None, extra=""):
        """Of the agent's configuration."""
        return (f'[card_reader "{device or self.name}"]\ndevice = {self.port}\nprotocol = {self.protocol}\n'
                f"accepted = led:{self.name}-green\nrefused = led:{self.name}-red\nanswer = 50ms\n{extra}")

    def plug(self):
        # The slave stays open here, so that the port lives on while no agent has it open.
        self.master, self.slave = pty.openpty()
        os.set_blocking(self.master, False)
        self.port.symlink_to(os.ttyname(self.slave))

    def unplug(self):
        self.port.unlink()
        os.close(self.slave)
        os.close(self.master)
        self.master = self.slave = -1

    def close(self):
        self.ended.set()
        if self.master >= 0:
            self.unplug()

    def lit(self, light):
        return self.leds[light].read_text(encoding="ascii").strip("0\n") != ""

    def _until(self, condition, end):
        while not condition():
            if self.ended.is_set() or time.monotonic() > end:
                return False
            time.sleep(0.002)
        return True

    def _send(self, frame):
        try:
            os.write(self.master, frame)
        except BlockingIOError:
            pass  # nobody reads: it is shown again
        self.frames += 1

    def tap(self, number, timeout=60):
        """One person: True when the green light was seen."""
        end = time.monotonic() + timeout
        frame, tries = FRAMES[self.protocol](number), 0
        # Somebody else's light, or one that a killed agent has left on, is no answer to this card.
        while self._until(lambda: not self.lit("green") and not self.lit("red"), end):
            self._send(frame)
            tries += 1
            again = min(end, time.monotonic() + AGAIN)
            self._until(lambda: self.lit("green") or self.lit("red"), again)
            if self.lit("green"):
                self.accepted.append(number)
                if tries > 1:  # what was shown twice may be answered twice
                    self._until(lambda: False, time.monotonic() + HELD + 0.2)
                return True
            self.lights += self.lit("red")
            if self.ended.is_set() or time.monotonic() > end:
                return False
        return False

    def queue(self, numbers, timeout=60):
        """A thread in which one person after the other shows a card; join it."""
        def run():
            for number in numbers:
                if self.ended.is_set() or not self.tap(number, timeout):
                    return
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread
