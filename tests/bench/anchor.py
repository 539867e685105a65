# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""What one core of an anchor carries, beside nginx in the same run: nginx sends the same random block from a file
(sendfile, its fastest way) and throws uploads away behind its answer; both by plain HTTP and by TLS, pinned to one
core, the client (curl) on another. And STAMP packets per second. Loopback: no card's limits, so these are upper bounds."""
import argparse
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))
import support  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
NGINX = """\
daemon off; master_process off; pid {dir}/nginx.pid; error_log {dir}/nginx.log;
events {{ }}
http {{
  access_log off; sendfile on; tcp_nopush on; sendfile_max_chunk 0; client_max_body_size 0; client_body_temp_path {dir};
  proxy_temp_path {dir}; fastcgi_temp_path {dir}; uwsgi_temp_path {dir}; scgi_temp_path {dir};
  server {{
    listen 127.0.0.1:{port}; listen 127.0.0.1:{tls} ssl; ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem;
    root {dir}; location /empty {{ return 200; }} }}
}}
"""


def pinned(core, arguments):
    return ["taskset", "-c", str(core), *map(str, arguments)]


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def certificate(directory):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", directory / "key.pem", "-out", directory / "cert.pem", "-days", "2", "-subj", "/CN=x"],
                   check=True, capture_output=True)


class Server:
    def __init__(self, name, arguments, log, port, tls, download):
        self.name, self.port, self.tls, self.download = name, port, tls, download
        self.process = support.Process(pinned(0, arguments), log)
        support.wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, name)

    def measure(self, arguments, field, seconds):
        """Gbit per second of its CPU, and on the clock."""
        before, began = cpu_seconds(self.process.pid), time.monotonic()
        moved = 0
        while time.monotonic() - began < seconds:
            done = subprocess.run(pinned(1, ["curl", "-sk", "-o", "/dev/null", "-w", f"%{{http_code}} %{{{field}}}",
                                             *arguments]), capture_output=True, text=True, check=True)
            code, size = done.stdout.split()
            assert code == "200", f"{self.name}: {code}"
            moved += int(size)
        spent, took = cpu_seconds(self.process.pid) - before, time.monotonic() - began
        return moved * 8 / 1e9 / spent, moved * 8 / 1e9 / took


def stamp_rate(port, seconds):
    """Packets per second that come back, with 32 out at any time; the client is on the other core."""
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.connect(("127.0.0.1", port))
    client.settimeout(2)
    packet = struct.pack("!IQHH", 1, 2, 0x8001, 3) + bytes(28)
    os.sched_setaffinity(0, {1})
    count, began = 0, time.monotonic()
    while time.monotonic() - began < seconds:
        for _ in range(32):
            client.send(packet)
        for _ in range(32):
            client.recv(100)
        count += 32
    return count / (time.monotonic() - began), count


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement")
    options = parser.parse_args()
    if os.cpu_count() < 2 or not shutil.which("nginx"):
        sys.exit("two cores and nginx are needed: tools/deps --for bench")
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sp-bench-"))
    directory.chmod(0o755)
    results = {}
    try:
        certificate(directory)
        block = os.urandom(1 << 20)
        with open(directory / "garbage", "wb") as out:
            for _ in range(1024):
                out.write(block)
        with open(directory / "upload", "wb") as out:
            for _ in range(512):
                out.write(block)
        ports = [support.free_port() for _ in range(7)]
        anchor = Server("anchor", [support.program("schoolpulse-anchor"), "--listen", "127.0.0.1", "--port", ports[0], "--tls-port",
                                   ports[1], "--cert-file", directory / "cert.pem", "--key-file", directory / "key.pem",
                                   "--stamp-port", ports[2], "--status-port", ports[3], "--stamp-rate", "1000000",
                                   "--stamp-source-rate", "1000000", "--test-time", "600s"],
                        directory / "anchor.log", ports[0], ports[1], "/garbage?ckSize=1024")
        (directory / "nginx.conf").write_text(NGINX.format(dir=directory, port=ports[4], tls=ports[5]))
        nginx = Server("nginx", ["nginx", "-c", directory / "nginx.conf", "-p", directory], directory / "n.log", ports[4],
                       ports[5], "/garbage")
        upload = ["-H", "Expect:", "-X", "POST", "-T", directory / "upload"]
        for suffix, scheme in (("", "http"), (", TLS", "https")):
            for server in (anchor, nginx):
                base = f"{scheme}://127.0.0.1:{server.tls if suffix else server.port}"
                results["download" + suffix, server.name] = server.measure([base + server.download], "size_download",
                                                                           options.seconds)
                results["upload" + suffix, server.name] = server.measure([*upload, base + "/empty"], "size_upload",
                                                                         options.seconds)
        before = cpu_seconds(anchor.process.pid)
        rate, count = stamp_rate(ports[2], options.seconds)
        per_core = count / (cpu_seconds(anchor.process.pid) - before)
        print(f"{'':16} {'anchor':>22} {'nginx':>22}   Gbit per CPU second (Gbit/s on the clock)")
        for case in ("download", "download, TLS", "upload", "upload, TLS"):
            cells = [results.get((case, name)) for name in ("anchor", "nginx")]
            texts = [f"{cell[0]:8.2f} ({cell[1]:6.2f})" if cell else "-" for cell in cells]
            ratio = f"{cells[0][0] / cells[1][0]:.2f} x nginx" if all(cells) else ""
            print(f"{case:16} {texts[0]:>22} {texts[1]:>22}   {ratio}")
        print(f"STAMP: {per_core:,.0f} packets per CPU second, {rate:,.0f}/s as fast as one Python sender asks")
        with open(f"/proc/{anchor.process.pid}/status", encoding="ascii") as status:
            print("memory:", next(line.split(":")[1].strip() for line in status if line.startswith("VmHWM")))
        json.dump({f"{case} {name}": value[0] for (case, name), value in results.items()}, sys.stderr)
        sys.stderr.write("\n")
    finally:
        for process in support.Process.started:
            process.kill()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
