# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""ndt7 servers for tests, each on a port of its own: two honest ones on an independent WebSocket library
(python3-websockets), and as many that break the protocol in one way each, on bare sockets. Prints
"<name> <port>" per server, then "ready". Ends with its standard input.

usage: ndt7_peer.py DIRECTORY-OF-CERTIFICATES"""
import asyncio
import base64
import hashlib
import json
import os
import pathlib
import socket
import ssl
import struct
import sys
import time

import websockets

PROTOCOL = "net.measurementlab.ndt.v7"
MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
BLOCK = os.urandom(1 << 16)
LONG = 60


def measurement(test, elapsed, received=None, **tcp):
    told = {"ElapsedTime": int(elapsed * 1e6), "MinRTT": 1200, "RTT": 5400, "RTTVar": 300, **tcp}
    if received is not None:
        told["BytesReceived"] = received
    return json.dumps({"ConnectionInfo": {"Client": "[::1]:4", "Server": "[::1]:5", "UUID": "x"},
                       "Origin": "server", "Test": test, "TCPInfo": told})


# ---- honest, by the library ---------------------------------------------------------------------

async def honest(ws, path):
    """A server that keeps to the rules, about 100 Mbit/s, one second long; asks for pongs."""
    began = time.monotonic()
    told = 0
    if "client_name=schoolpulse" not in path.split("?", 1)[-1]:
        await ws.close(1002, "no metadata")
        return
    if path.startswith("/ndt/v7/download"):
        sent = 0
        while (gone := time.monotonic() - began) < 1.0:
            await ws.send(BLOCK)
            sent += len(BLOCK)
            if gone - told > 0.1:
                told = gone
                await ws.send(measurement("download", gone, BytesSent=sent, BytesRetrans=sent // 100))
                # Only who answers pings, with their payload, gets more.
                await asyncio.wait_for(await ws.ping(b"ndt7"), 5)
            await asyncio.sleep(0.005)
        await ws.close(1000)
        return
    received = 0
    pong = None
    while (gone := time.monotonic() - began) < 1.4:
        try:
            message = await asyncio.wait_for(ws.recv(), 0.05)
        except asyncio.TimeoutError:
            message = b""
        except websockets.ConnectionClosed:
            return
        if isinstance(message, str):
            told_us = json.loads(message)
            assert set(told_us) == {"AppInfo", "Origin", "Test"}, told_us
            continue
        received += len(message)
        if gone - told > 0.1:
            told = gone
            # Only who answers pings gets figures; the first pong comes behind what was sent before it.
            if pong is None:
                pong = await ws.ping(b"ndt7")
            elif pong.done():
                await ws.send(measurement("upload", gone, received))


async def stranger(ws, _path):
    await ws.wait_closed()


# ---- bare sockets -------------------------------------------------------------------------------

def frame(opcode, payload, final=True, length=None, mask=False, reserved=0):
    length = len(payload) if length is None else length
    head = bytes([(0x80 if final else 0) | reserved | opcode])
    bit = 0x80 if mask else 0
    if length < 126:
        head += bytes([bit | length])
    elif length < 1 << 16:
        head += bytes([bit | 126]) + struct.pack(">H", length)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", length)
    return head + (b"\x01\x02\x03\x04" if mask else b"") + payload


async def opening(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    return lines[0].split()[1], headers["Sec-WebSocket-Key"]


def answer(key, protocol=PROTOCOL, accept=None, more=""):
    accept = accept or base64.b64encode(hashlib.sha1((key + MAGIC).encode()).digest()).decode()
    return ("HTTP/1.1 101 Switching Protocols\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n"
            + (f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else "") + more + "\r\n").encode()


def upgrade(**how):
    async def serve(reader, writer):
        _, key = await opening(reader)
        writer.write(answer(key, **how))
        await asyncio.sleep(LONG)
    return serve


def status(line, more=""):
    async def serve(reader, writer):
        await opening(reader)
        writer.write(f"HTTP/1.1 {line}\r\n{more}Content-Length: 0\r\n\r\n".encode())
        await writer.drain()
    return serve


def says(*pieces, then=None, gap=0.0, forever=None):
    """Upgrades, sends the pieces, then `forever` again and again, then ends as `then` says."""
    async def serve(reader, writer):
        _, key = await opening(reader)
        writer.write(answer(key))
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(gap)
        while forever is not None:
            writer.write(forever)
            await writer.drain()
            await asyncio.sleep(gap)
        if then in ("reset", "reset_at_once"):
            await asyncio.sleep(0.1 if then == "reset" else 0)
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        elif then == "half":
            writer.write_eof()
            await asyncio.sleep(LONG)
        elif then == "wait":
            await asyncio.sleep(LONG)
    return serve


def receives(*texts, gap=0.1, least=0):
    """Upgrades, reads what comes and says these texts meanwhile; with `least`, reads as little."""
    async def serve(reader, writer):
        _, key = await opening(reader)
        writer.write(answer(key))
        began = time.monotonic()
        at = 0
        while time.monotonic() - began < LONG:
            if not least and not await reader.read(1 << 20):
                return
            if time.monotonic() - began > gap * (at + 1):
                if texts:
                    writer.write(texts[at % len(texts)])
                at += 1
            await asyncio.sleep(0.002 if not least else LONG)
    return serve


async def silent(_reader, _writer):
    await asyncio.sleep(LONG)


async def banner(_reader, writer):
    writer.write(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    await asyncio.sleep(LONG)


async def endless_head(reader, writer):
    await opening(reader)
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\n")
    while True:
        writer.write(b"X-More: " + b"y" * 4000 + b"\r\n")
        await writer.drain()


async def leaves(reader, _writer):
    await opening(reader)


def text(message):
    return frame(1, message.encode())


DATA = frame(2, BLOCK)
BARE = {
    # of the opening
    "bad_request": status("400 Bad Request"),
    "forbidden": status("403 Forbidden"),
    "full": status("503 Service Unavailable"),
    "plain_ok": status("200 OK"),
    "redirect": status("302 Found", "Location: ws://elsewhere.example/ndt/v7/download\r\n"),
    "silent": silent,
    "banner": banner,
    "endless_head": endless_head,
    "leaves": leaves,
    "no_protocol": upgrade(protocol=None),
    "other_protocol": upgrade(protocol="chat"),
    "bad_accept": upgrade(accept="AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    "extension": upgrade(more="Sec-WebSocket-Extensions: permessage-deflate\r\n"),
    # of a download
    "stall": says(DATA, DATA, then="wait"),
    "never_data": says(then="wait"),
    "reset": says(*[DATA] * 30, frame(2, BLOCK, length=1 << 20), gap=0.01, then="reset"),
    "cut_short": says(*[DATA] * 30, frame(2, BLOCK, length=1 << 24), gap=0.01),
    "masked": says(DATA, frame(2, b"x" * 1024, mask=True), then="wait"),
    "reserved": says(DATA, frame(2, b"x" * 1024, reserved=0x40), then="wait"),
    "unknown_opcode": says(DATA, frame(5, b"x" * 64), then="wait"),
    "long_ping": says(DATA, frame(9, b"x" * 200), then="wait"),
    "oversize": says(DATA, frame(2, BLOCK, length=(1 << 24) + 1), then="wait"),
    "absurd_length": says(DATA, b"\x82\xff" + b"\xff" * 12, then="wait"),
    "stray_fragment": says(DATA, frame(0, b"x" * 64), then="wait"),
    "nested_message": says(frame(2, b"x" * 64, final=False), frame(1, b"{}"), then="wait"),
    "half_closed": says(*[DATA] * 20, gap=0.01, then="half"),
    "endless_text": says(forever=text('{"TCPInfo":{"RTT":1000}}' + " " * 9000), gap=0.001),
    "endless_fragments": says(frame(1, b"{", final=False), forever=frame(0, b" " * 65000, final=False)),
    "rubbish_text": says(text("[1,2"), text("\x00"), text('{"TCPInfo":{"RTT":-5,"MinRTT":1e99,"BytesSent":"x"}}'),
                         forever=DATA, gap=0.005),
    "ping_flood": says(forever=frame(9, b"?" * 125) * 20 + DATA, gap=0.002),
    "trickle": says(frame(2, b"", length=1 << 20), forever=b"x", gap=0.1),
    "early_close": says(*[DATA] * 20, frame(8, struct.pack(">H", 1000)), gap=0.01, then="wait"),
    # Longer than any client of ours waits: it must end by itself.
    "never_ends": says(forever=DATA, gap=0.005),
    # of an upload
    "mute": receives(),
    "liar": receives(text(measurement("upload", 1.0, 10 ** 15))),
    "early_bird": receives(text(measurement("upload", 3600, 10 ** 6))),
    "sends_data": receives(DATA),
    "deaf": receives(least=1),
    "quits": says(then="reset_at_once"),
}


async def bare(handler, reader, writer):
    try:
        await handler(reader, writer)
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


def tls(directory, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / f"{name}.pem", directory / f"{name}.key")
    return context


async def main():
    directory = pathlib.Path(sys.argv[1])
    servers = []
    for name, handler in BARE.items():
        server = await asyncio.start_server(lambda r, w, h=handler: bare(h, r, w), "127.0.0.1", 0)
        servers.append((name, server))
    library = {"compression": None, "max_size": 1 << 24, "ping_interval": None}
    for name, certificate in (("honest", None), ("honest_tls", "server"), ("expired", "expired"),
                              ("named", "named")):
        context = tls(directory, certificate) if certificate else None
        servers.append((name, await websockets.serve(honest, "127.0.0.1", 0, subprotocols=[PROTOCOL],
                                                     ssl=context, **library)))
    servers.append(("stranger", await websockets.serve(stranger, "127.0.0.1", 0, subprotocols=["chat"])))
    servers.append(("honest6", await websockets.serve(honest, "::1", 0, subprotocols=[PROTOCOL], **library)))
    for name, server in servers:
        print(name, server.sockets[0].getsockname()[1])
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
