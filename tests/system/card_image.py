# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""An ext4 of its own in place of a board's card: its power can be cut, and what is written to it is counted."""
import fcntl
import os
import pathlib
import shutil
import struct
import subprocess

EXT4_IOC_SHUTDOWN, WITHOUT_LOG = 0x8004587D, 2
SECTOR = 512


class Impossible(Exception):
    """No file system may be mounted here, or none shut down."""


class Card:
    def __init__(self, directory, mib=48, options="commit=300"):
        """Its own commits are far between by default: only who syncs is safe."""
        self.path, self.image = pathlib.Path(directory) / "card", pathlib.Path(directory) / "card.img"
        self.options = options
        self.path.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(mib << 20)
        subprocess.run(["mkfs.ext4", "-q", self.image], check=True)
        self.mounted = False
        self.mount()

    def mount(self):
        done = subprocess.run(["mount", "-o", f"loop,{self.options}", self.image, self.path], capture_output=True, text=True,
                              check=False)
        if done.returncode:
            raise Impossible(f"no file system may be mounted here: {done.stderr.strip()}")
        self.mounted = True

    def cut(self):
        """As xfstests do: what was not synced is gone, and nothing more gets there."""
        folder = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, EXT4_IOC_SHUTDOWN, struct.pack("I", WITHOUT_LOG))
        except OSError as error:
            raise Impossible(f"this kernel shuts down no ext4: {error}") from None
        finally:
            os.close(folder)

    def written(self):
        """Bytes that reached the device since it was made."""
        number = os.stat(self.path).st_dev
        device = pathlib.Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/stat")
        return int(device.read_text().split()[6]) * SECTOR

    def unmount(self):
        """Another test's namespace may hold this mount still, shut down as it is: what was on the card goes on as a copy."""
        subprocess.run(["umount", self.path], check=True)
        self.mounted = False
        old, self.image = self.image, self.image.with_suffix(f"{self.image.suffix}n")
        shutil.copyfile(old, self.image)
        old.unlink()

    def close(self):
        if self.mounted:
            subprocess.run(["umount", "-l", self.path], check=False)
