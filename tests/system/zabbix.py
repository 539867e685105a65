# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A Zabbix of a test's own: Debian's server and frontend over a private PostgreSQL, on loopback, in the test's folder.
Debian's own services and files are not touched."""
import gzip
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import urllib.request

import postgres
import support

FRONTEND = pathlib.Path("/usr/share/zabbix")
SCHEMA = pathlib.Path("/usr/share/zabbix-server-pgsql")

SERVER = """\
ListenIP=127.0.0.1
ListenPort={port}
LogType=console
PidFile={dir}/zabbix_server.pid
SocketDir={dir}
DBHost={database}
DBName=zabbix
DBUser=postgres
StartPollers=1
StartPollersUnreachable=1
StartPreprocessors=1
StartDiscoverers=0
StartPingers=0
StartTrappers=1
StartHTTPPollers=0
StartDBSyncers=1
StartLLDProcessors=1
StartTimers=1
CacheUpdateFrequency=1
"""

FRONTEND_CONFIG = """\
<?php
$DB['TYPE'] = 'POSTGRESQL';
$DB['SERVER'] = '{database}';
$DB['PORT'] = '0';
$DB['DATABASE'] = 'zabbix';
$DB['USER'] = 'postgres';
$DB['PASSWORD'] = $DB['SCHEMA'] = '';
$DB['ENCRYPTION'] = $DB['VERIFY_HOST'] = false;
$DB['KEY_FILE'] = $DB['CERT_FILE'] = $DB['CA_FILE'] = $DB['CIPHER_LIST'] = '';
$DB['VAULT_URL'] = $DB['VAULT_DB_PATH'] = $DB['VAULT_TOKEN'] = '';
$DB['DOUBLE_IEEE754'] = true;
$ZBX_SERVER = '127.0.0.1';
$ZBX_SERVER_PORT = '{port}';
$ZBX_SERVER_NAME = '';
$IMAGE_FORMAT_DEFAULT = IMAGE_FORMAT_PNG;
"""


def missing():
    """What is not installed, or None."""
    for path in ("/usr/sbin/zabbix_server", "/usr/bin/php", FRONTEND / "api_jsonrpc.php", SCHEMA / "schema.sql.gz"):
        if not pathlib.Path(path).exists():
            return f"{path} is not here: tools/deps --for zabbix"
    return None if postgres.binaries() else "no PostgreSQL here: tools/deps --for zabbix"


def low_port():
    """A free one that Zabbix's server takes: up to 32767."""
    for _ in range(200):
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise AssertionError("no free port below 32000")


class Zabbix:
    def __init__(self, directory):
        self.directory = directory
        directory.mkdir()
        self.cluster = postgres.Cluster(settings={"fsync": "off"})
        self.port, self.web_port, self.auth = low_port(), None, None
        self.server = self.web = None
        if self.cluster.user:
            directory.parent.chmod(0o755)
            os.chown(directory, self.cluster.uid, self.cluster.gid)

    def start(self):
        self.cluster.make()
        self.cluster.start()
        self.fill_database()
        config = self.directory / "server.conf"
        config.write_text(SERVER.format(dir=self.directory, port=self.port, database=self.cluster.folder))
        self.server = support.Process([*self.cluster.user, "/usr/sbin/zabbix_server", "-f", "-c", config],
                                      self.directory.parent / "zabbix-server.log")
        self.server.wait_for(r"server #0 started")
        self.start_frontend()

    def psql(self, database, text):
        subprocess.run([self.cluster.bin / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.cluster.folder, "-U",
                        "postgres", database], check=True, capture_output=True, input=text)

    def fill_database(self):
        self.cluster.database("zabbix")
        parts = [gzip.decompress((SCHEMA / f"{part}.sql.gz").read_bytes()) for part in ("schema", "images", "data")]
        # Neither its example host nor its welcome is asked for.
        self.psql("zabbix", b"\n".join(parts) + b"\nUPDATE hosts SET status = 1 WHERE status = 0;")

    def start_frontend(self):
        """The frontend is PHP alone, and PHP brings a web server. Debian's copy reads its configuration at one place."""
        root = self.directory.parent / "zabbix-web"
        shutil.copytree(FRONTEND, root, symlinks=False, ignore_dangling_symlinks=True)
        config = root / "zabbix.conf.php"
        config.write_text(FRONTEND_CONFIG.format(database=self.cluster.folder, port=self.port))
        place = root / "include/classes/core/CConfigFile.php"
        text = place.read_text()
        assert "'/etc/zabbix/zabbix.conf.php'" in text
        place.write_text(text.replace("'/etc/zabbix/zabbix.conf.php'", f"'{config}'"))
        self.web_port = support.free_port()
        self.web = support.Process(["/usr/bin/php", "-d", "max_execution_time=300", "-d", "date.timezone=Asia/Ho_Chi_Minh",
                                    "-S", f"127.0.0.1:{self.web_port}", "-t", root], self.directory.parent / "php.log")
        self.web.wait_for("started")
        self.auth = self.call("user.login", username="Admin", password="zabbix")

    def call(self, method, **parameters):
        body = {"jsonrpc": "2.0", "method": method, "params": parameters, "id": 1, "auth": self.auth}
        request = urllib.request.Request(f"http://127.0.0.1:{self.web_port}/api_jsonrpc.php", json.dumps(body).encode(),
                                         {"Content-Type": "application/json-rpc"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            answer = json.load(answer)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def import_template(self, path):
        rules = {kind: {"createMissing": True, "updateExisting": True}
                 for kind in ("templates", "items", "discoveryRules", "graphs", "valueMaps", "triggers")}
        rules["groups"] = {"createMissing": True}
        assert self.call("configuration.import", format="yaml", rules=rules, source=path.read_text(encoding="utf-8"))

    def stop(self):
        for process in (self.web, self.server):
            if process:
                process.stop()
        self.cluster.remove()
