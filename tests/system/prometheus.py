# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A Prometheus of a test's own: its folder, its loopback port, its configuration."""
import json
import urllib.parse
import urllib.request

import support

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url, accept=None):
    """The text, and its content type."""
    request = urllib.request.Request(url, headers={"Accept": accept} if accept else {})
    with OPENER.open(request, timeout=30) as answer:
        return answer.read().decode(), answer.headers["Content-Type"]


class Prometheus:
    """`jobs`: name → (port, parameters of the request)."""

    def __init__(self, directory, jobs):
        self.directory, self.jobs, self.port, self.process = directory, jobs, None, None
        directory.mkdir()

    def configuration(self):
        lines = ["global:", "  scrape_interval: 1s", "  scrape_timeout: 1s", "scrape_configs:"]
        for name, (port, parameters) in self.jobs.items():
            lines += [f"- job_name: {name}", "  static_configs:", f"  - targets: ['127.0.0.1:{port}']"]
            if parameters:
                lines.append("  params:")
                lines += [f"    {key}: ['{value}']" for key, value in parameters.items()]
        return "\n".join(lines) + "\n"

    def start(self):
        config = self.directory / "prometheus.yml"
        config.write_text(self.configuration())
        for _ in range(20):
            self.port = support.free_port()
            self.process = support.Process(
                ["/usr/bin/prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.directory}/data",
                 f"--web.listen-address=127.0.0.1:{self.port}"], self.directory / "log",
                env={"GOMAXPROCS": "1"})
            support.wait_until(lambda: not self.process.running() or self.ready(), "prometheus")
            if self.process.running():
                return
        raise AssertionError(self.process.tail())

    def ready(self):
        try:
            return get(f"http://127.0.0.1:{self.port}/-/ready")
        except OSError:
            return None

    def query(self, expression):
        """Values by their labels, without the target's own."""
        path = "/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        answer = json.loads(get(f"http://127.0.0.1:{self.port}{path}")[0])
        assert answer["status"] == "success", answer
        return [({k: v for k, v in row["metric"].items() if k not in ("__name__", "instance", "job")},
                 float(row["value"][1])) for row in answer["data"]["result"]]

    def value(self, expression):
        """The one value, or None as long as there is none."""
        rows = self.query(expression)
        assert len(rows) <= 1, (expression, rows)
        return rows[0][1] if rows else None

    def targets(self):
        answer = json.loads(get(f"http://127.0.0.1:{self.port}/api/v1/targets")[0])
        return {target["labels"]["job"]: target for target in answer["data"]["activeTargets"]}

    def stop(self):
        if self.process:
            self.process.stop()
