# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A device that wants a digest login (RFC 7616), in the ways that its path's first word names. Prints its port; each
request becomes a line of the log: method, path, what its login was worth, nc, connection, content type and body."""
import hashlib
import http.server
import re
import secrets
import ssl
import sys

USER, PASSWORD, REALM = "observer", 'mật "khẩu" 1', "DS-K1T"
NAMES = {"md5": hashlib.md5, "sha": hashlib.sha256}
OFFERS = {"md5": ["md5"], "sha": ["sha"], "both": ["md5", "sha"], "other": ["sha", "md5"], "basic": [],
          "mixed": ["md5"], "stale": ["md5"], "forget": ["md5"], "liar": ["md5"], "stream": ["md5"]}
nonces = {}
logfile = open(sys.argv[1], "a", encoding="utf-8")


class Device(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def judge(self, mode):
        """none, basic, unknown (nonce), bad, old, or the algorithm; and nc."""
        said = self.headers.get("Authorization", "")
        if not said:
            return "none", 0
        if not said.startswith("Digest "):
            return "basic", 0
        words = {k: quoted.replace('\\"', '"').replace("\\\\", "\\") or plain
                 for k, quoted, plain in re.findall(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))', said)}
        nonce, nc = words.get("nonce", ""), int(words.get("nc", "0"), 16)
        if nonces.get(nonce) is None:
            return "unknown", nc
        name = "sha" if words.get("algorithm") == "SHA-256" else "md5"
        digest = lambda text: NAMES[name](text.encode()).hexdigest()
        ha1, ha2 = digest(f"{USER}:{REALM}:{PASSWORD}"), digest(f"{self.command}:{self.path}")
        want = digest(":".join((ha1, nonce, words.get("nc", ""), words.get("cnonce", ""), "auth", ha2)))
        if words.get("username") != USER or words.get("uri") != self.path or words.get("response") != want:
            return "bad", nc
        nonces[nonce] += 1
        if nc != nonces[nonce]:
            return "replayed", nc
        if mode == "liar" or (mode in ("stale", "forget") and nc > 2):
            del nonces[nonce]
            return "old", nc
        return name, nc

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        mode = self.path.strip("/").split("/")[0]
        worth, nc = self.judge(mode)
        logfile.write(f"{self.command} {self.path} {worth} {nc} {self.client_address[1]} "
                      f"{self.headers.get('Content-Type', '-')} {body.decode()}\n")
        logfile.flush()
        if worth not in NAMES:
            self.refuse(mode, worth)
        elif mode == "stream":
            self.stream()
        else:
            self.send_response(200)
            self.send_header("Content-Type", "application/xml; charset=UTF-8")
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

    do_GET = do_POST = answer

    def refuse(self, mode, worth):
        body = b"<userCheck><lockStatus>lock</lockStatus></userCheck>" + b" " * 3000
        stale = "TRUE" if worth == "old" and mode != "forget" else "FALSE"
        self.send_response(401)
        if mode in ("basic", "mixed"):
            self.send_header("WWW-Authenticate", f'Basic realm="{REALM}"')
        for name in OFFERS[mode]:
            nonce = secrets.token_hex(16)
            nonces[nonce] = 0
            algorithm = ', algorithm="SHA-256"' if name == "sha" else ""
            self.send_header("WWW-Authenticate",
                             f'Digest qop="auth", realm="{REALM}", nonce="{nonce}", stale="{stale}"{algorithm}')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self):
        """Numbers without end, as fast as they are taken."""
        self.send_response(200)
        self.send_header("Content-Type", "multipart/mixed; boundary=x")
        self.end_headers()
        number = 0
        while True:
            block = b"".join(b"%07d\n" % (number + i) for i in range(512))
            number += 512
            try:
                self.wfile.write(block)
            except OSError:
                return


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Device)
server.daemon_threads = True
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
