# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""What answers in the lab: name servers, the router's forwarder, the portal check's page and a captive
portal. One process serves all namespaces: a socket stays in the one where it was opened. Each line on
stdin, "NAME MODE", changes a server; it is answered by "ok"."""
import asyncio
import json
import socket
import ssl
import sys

import school
import space

MODES = {"dns": ("normal", "silent", "lie", "refuse"), "forwarder": ("normal", "silent", "hijack"),
         "page": ("normal", "silent"), "portal": ("normal", "silent"), "whoami": ("normal", "silent"),
         "lesson": ("normal", "silent", "error")}


def answer(query, address, every=False):
    """The response to an A or AAAA question for a name in our zone (or any); others do not exist. None: no question."""
    end = query.find(b"\0", 12) + 5
    if len(query) < 17 or end < 17 or end > len(query) or query[2] & 0x80:
        return None
    kind = query[end - 4:end - 2]
    labels = b"".join(bytes([len(label)]) + label for label in school.ZONE.encode().split(b"."))
    ours = every or query[12:end - 4].lower().endswith(labels + b"\0")
    found = ours and kind == b"\0\1" and address is not None
    code = b"\x85\x80" if ours else b"\x81\x83"
    record = b"\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4" + socket.inet_aton(address) if found else b""
    return query[:2] + code + b"\0\1" + (b"\0\1" if found else b"\0\0") + b"\0\0\0\0" + query[12:end] + record


class Dns(asyncio.DatagramProtocol):
    """Answers for the zone: truly, falsely, with an error, or not at all."""

    def __init__(self, service):
        self.service = service

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        mode = self.service["mode"]
        if mode == "silent":
            return
        reply = answer(data, school.LIE if mode == "lie" else school.ZONE_ADDRESS)
        if reply and mode == "refuse":
            reply = reply[:3] + b"\x85" + reply[4:6] + b"\0\0" + reply[8:]
        if reply:
            self.transport.sendto(reply, address)


class Forwarder(asyncio.DatagramProtocol):
    """As in a home router: hands questions on and remembers nothing."""

    LIMIT = 256

    def __init__(self, service):
        self.service = service
        self.asked = {}

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        if self.service["mode"] == "silent" or len(data) < 12:
            return
        if address == (self.service["upstream"], 53):
            asker = self.asked.pop(data[:2], None)
            if asker:
                self.transport.sendto(data, asker)
            return
        if self.service["mode"] == "hijack":
            reply = answer(data, self.service["address"], every=True)
            if reply:
                self.transport.sendto(reply, address)
            return
        if len(self.asked) >= self.LIMIT:
            self.asked.pop(next(iter(self.asked)))
        self.asked[data[:2]] = address
        self.transport.sendto(data, (self.service["upstream"], 53))

    def error_received(self, error):
        pass


PAGES = {
    "page": "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
    "portal": "HTTP/1.1 302 Found\r\nLocation: http://{address}:{port}/login\r\nContent-Length: 0\r\n"
              "Connection: close\r\n\r\n",
    # As LibreSpeed's getIP has it.
    "whoami": "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
              '{{"processedString":"{peer} - the lab","rawIspInfo":""}}',
    "lesson": "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\nConnection: close\r\n\r\nBài",
    "error": "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
}


async def serve_page(service, reader, writer):
    try:
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        if service["mode"] != "silent":
            page = PAGES["error" if service["mode"] == "error" else service["kind"]]
            writer.write(page.format(peer=writer.get_extra_info("peername")[0], **service).encode())
            await writer.drain()
        else:
            await asyncio.sleep(60)
    except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass
    finally:
        writer.close()


async def start(loop, service):
    service["mode"] = "normal"
    space.enter(service["path"])
    if service["kind"] in PAGES:
        sock = socket.create_server((service["address"], service["port"]), backlog=64)
        tls = None
        if service["kind"] == "lesson":
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(service["cert"])
        await asyncio.start_server(lambda r, w: serve_page(service, r, w), sock=sock, ssl=tls)
        return
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    # The forwarder asks its upstream from the same socket, so it is not tied to its inner address.
    sock.bind(("" if service["kind"] == "forwarder" else service["address"], 53))
    protocol = Forwarder if service["kind"] == "forwarder" else Dns
    await loop.create_datagram_endpoint(lambda: protocol(service), sock=sock)


async def main(services):
    loop = asyncio.get_running_loop()
    for service in services:
        await start(loop, service)
    print("serving", flush=True)
    by_name = {service["name"]: service for service in services}
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        name, mode = line.decode().split()
        known = name in by_name and mode in MODES[by_name[name]["kind"]]
        if known:
            by_name[name]["mode"] = mode
        print("ok" if known else "unknown", flush=True)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
