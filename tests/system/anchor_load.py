# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Very many clients of an anchor at the same moment, each from a loopback address of its own."""
import asyncio
import time


class Reply:
    def __init__(self, status, retry_after, seconds):
        self.status, self.retry_after, self.seconds = status, retry_after, seconds


def address_of(number):
    return f"127.{20 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"


async def _ask(number, port, request):
    began = time.monotonic()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address_of(number), 0))
    except OSError as error:
        return Reply(str(error), None, time.monotonic() - began)
    try:
        writer.write(request)
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)).decode()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        retry = fields.get("Retry-After")
        return Reply(int(head.split()[1]), int(retry) if retry else None, time.monotonic() - began)
    except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
        return Reply(repr(error), None, time.monotonic() - began)
    finally:
        writer.transport.abort()


def storm(port, clients, first=0, path="/garbage.php?ckSize=100"):
    """What each of so many clients heard."""
    request = f"GET {path} HTTP/1.1\r\nHost: anchor\r\nConnection: close\r\n\r\n".encode()

    async def all_of_them():
        return await asyncio.gather(*(_ask(first + i, port, request) for i in range(clients)))

    return asyncio.run(all_of_them())
