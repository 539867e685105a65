# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""The packaged broker configuration and tools/certs on a real mosquitto: what one board may not do to
another, and who is not let in at all."""
import pathlib
import shutil
import signal
import ssl
import subprocess
import tempfile

import pytest

import board as one_board
import mqtt5
import support

CERTS = support.SOURCE / "tools/certs"
PACKAGING = support.SOURCE / "tools/packaging/mosquitto"
SHARD, ONE, OTHER = "ninh-binh", "board-one", "board-two"


def certs(*arguments):
    return subprocess.run([CERTS, *map(str, arguments)], capture_output=True, text=True, timeout=60)


def make(*arguments):
    done = certs(*arguments)
    assert done.returncode == 0, done.stderr


class Centre:
    """A CA, a broker that runs the packaged files, and boards that made their own keys."""

    def __init__(self, directory):
        self.directory = directory
        self.ca = directory / "ca"
        make("init", self.ca)
        make("broker", self.ca, directory, "localhost", "127.0.0.1")
        make("client", self.ca, directory, "hub")
        make("client", self.ca, directory, "reader")
        shutil.copy(self.ca / "crl.pem", directory / "crl.pem")
        shutil.copy(PACKAGING / "schoolpulse.acl", directory)
        conf = (PACKAGING / "schoolpulse.conf").read_text()
        conf = conf.replace("listener 8883", "listener {port} 127.0.0.1").replace("log_dest syslog", "log_dest stderr")
        conf = conf.replace("/etc/mosquitto/certs/ca.crt", "{dir}/../ca/ca.crt")
        for place in ("/etc/mosquitto/certs", "/etc/mosquitto/conf.d"):
            conf = conf.replace(place, "{dir}/..")
        conf = conf.replace("persistence true", "persistence true\npersistence_location {dir}/")
        self.broker = support.Broker(directory / "broker", listener=conf, persistence=False)
        self.broker.start()

    def board(self, device, shard=SHARD, ca=None, options=()):
        place = self.directory / f"{device}-{shard}"
        make("request", place, shard, device)
        make(*options, "sign", ca or self.ca, place / "board.csr", place / "board.crt", f"{shard}/{device}")
        return place / "board"

    def context(self, identity=None):
        context = ssl.create_default_context(cafile=self.ca / "ca.crt")
        if identity:
            context.load_cert_chain(f"{identity}.crt", f"{identity}.key")
        return context

    def client(self, identity, client_id, **options):
        return mqtt5.Client(self.broker.port, client_id, tls=self.context(identity), **options)


@pytest.fixture(scope="module")
def centre():
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sp-tls-"))
    centre = Centre(directory)
    yield centre
    centre.broker.stop()
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def boards(centre):
    return {name: centre.board(name) for name in (ONE, OTHER)}


def refused(centre, identity, client_id=f"{SHARD}/{ONE}"):
    """True when no session came about: in the TLS handshake, after it (TLS 1.3), or by CONNACK."""
    try:
        return centre.client(identity, client_id).reason != 0
    except (ssl.SSLError, ConnectionError):
        return True


def test_a_board_may_do_its_own(centre, boards):
    hub = centre.client(centre.directory / "hub", "hub")
    assert hub.reason == 0
    assert hub.subscribe("sp1/up/#") == 1
    board = centre.client(boards[ONE], f"{SHARD}/{ONE}")
    assert board.reason == 0
    assert board.subscribe(f"sp1/down/{SHARD}/{ONE}/ack") == 1
    assert board.subscribe(f"sp1/hub/{SHARD}/state") == 1
    for leaf in ("state", "facts", "bulk", "attendance"):
        assert board.publish(f"sp1/up/{SHARD}/{ONE}/{leaf}", "{}") == 0
        assert hub.next().topic == f"sp1/up/{SHARD}/{ONE}/{leaf}"
    assert hub.publish(f"sp1/down/{SHARD}/{ONE}/ack", "{}") == 0
    assert board.next().topic == f"sp1/down/{SHARD}/{ONE}/ack"
    assert hub.publish(f"sp1/hub/{SHARD}/state", "{}", retain=True) == 0
    assert board.next().topic == f"sp1/hub/{SHARD}/state"
    assert hub.publish("sp1/site/s/1/main", "{}", retain=True) in (0, 16)
    reader = centre.client(centre.directory / "reader", "reader")
    assert reader.subscribe("sp1/site/#") == 1
    assert reader.next().topic == "sp1/site/s/1/main"
    for client in (hub, board, reader):
        client.close()


@pytest.mark.parametrize("topic", [
    f"sp1/up/{SHARD}/{OTHER}/facts", f"sp1/up/{SHARD}/{OTHER}/state", f"sp1/up/other-shard/{ONE}/facts",
    f"sp1/up/{SHARD}/{ONE}/facts/more", f"sp1/down/{SHARD}/{ONE}/ack", f"sp1/down/{SHARD}/{OTHER}/ack",
    f"sp1/hub/{SHARD}/state", "sp1/site/s/1/main", "elsewhere"])
def test_a_board_may_not_write_elsewhere(centre, boards, topic):
    """Refused by reason code, and nothing arrives at the hub."""
    hub = centre.client(centre.directory / "hub", "hub")
    assert hub.subscribe("sp1/up/#") == 1
    board = centre.client(boards[ONE], f"{SHARD}/{ONE}")
    assert board.publish(topic, "forged") == 0x87
    assert board.publish(f"sp1/up/{SHARD}/{ONE}/facts", "true") == 0
    assert hub.next().payload == b"true"
    hub.close()
    board.close()


def test_a_board_hears_nothing_of_another(centre, boards):
    """mosquitto 2.0 grants every subscription and judges each delivery: what counts is what arrives."""
    hub = centre.client(centre.directory / "hub", "hub")
    assert hub.publish(f"sp1/down/{SHARD}/{OTHER}/kept", "secret", retain=True) in (0, 16)
    assert hub.publish("sp1/site/s/2/main", "secret", retain=True) in (0, 16)
    board = centre.client(boards[ONE], f"{SHARD}/{ONE}")
    for topic in (f"sp1/down/{SHARD}/{OTHER}/ack", f"sp1/down/{SHARD}/{OTHER}/#", "sp1/down/#", "sp1/up/#", "#",
                  f"sp1/down/other-shard/{ONE}/ack", "sp1/site/#"):
        board.subscribe(topic)
    assert board.subscribe(f"sp1/down/{SHARD}/{ONE}/ack") == 1
    for topic in (f"sp1/down/{SHARD}/{OTHER}/ack", f"sp1/down/other-shard/{ONE}/ack", "sp1/site/s/1/main"):
        assert hub.publish(topic, "secret") in (0, 16)
    assert hub.publish(f"sp1/down/{SHARD}/{ONE}/ack", "mine") == 0
    heard = board.next()
    while heard.payload != b"mine":
        assert heard.payload != b"secret", heard.topic
        heard = board.next()
    hub.close()
    board.close()


def test_another_client_id_does_not_take_the_session(centre, boards):
    """The broker knows a board by its certificate, whatever client id it sends: neither the other
    board's connection nor its queue nor its will is touched."""
    other = centre.client(boards[OTHER], f"{SHARD}/{OTHER}", clean=False, expiry=300)
    assert other.reason == 0 and other.subscribe(f"sp1/down/{SHARD}/{OTHER}/ack") == 1
    thief = centre.client(boards[ONE], f"{SHARD}/{OTHER}", clean=True)
    assert thief.reason == 0, "it is let in as itself"
    assert other.alive()
    assert thief.publish(f"sp1/up/{SHARD}/{OTHER}/facts", "forged") == 0x87
    hub = centre.client(centre.directory / "hub", "hub")
    assert hub.publish(f"sp1/down/{SHARD}/{OTHER}/ack", "yours") == 0
    assert other.next().payload == b"yours"
    assert not thief.messages and thief.alive()
    # Also not when the other is away and only its session is there.
    other.stream.close()
    thief.close()
    thief = centre.client(boards[ONE], f"{SHARD}/{OTHER}", clean=True)
    assert not thief.session_present
    assert hub.publish(f"sp1/down/{SHARD}/{OTHER}/ack", "queued") == 0
    other = centre.client(boards[OTHER], f"{SHARD}/{OTHER}", clean=False, expiry=300)
    assert other.session_present and other.next().payload == b"queued"
    for client in (hub, other, thief):
        client.close()


def test_a_will_for_another_is_refused(centre, boards):
    watcher = centre.client(centre.directory / "hub", "hub")
    assert watcher.subscribe("sp1/up/#") == 1
    board = centre.client(boards[ONE], f"{SHARD}/{ONE}", will=(f"sp1/up/{SHARD}/{OTHER}/state", b"forged"))
    if board.reason == 0:
        board.stream.close()  # without DISCONNECT: the will is due
        back = centre.client(boards[ONE], f"{SHARD}/{ONE}")
        assert back.publish(f"sp1/up/{SHARD}/{ONE}/facts", "after") == 0
        assert watcher.next().payload == b"after", "the forged will came through"
        back.close()
    watcher.close()


def test_another_shard_is_another_identity(centre, boards):
    stranger = centre.board(ONE, shard="other-shard")
    board = centre.client(stranger, f"{SHARD}/{ONE}")
    assert board.publish(f"sp1/up/{SHARD}/{ONE}/facts", "forged") == 0x87
    assert board.publish(f"sp1/up/other-shard/{ONE}/facts", "mine") in (0, 16)
    board.close()


def test_no_certificate_is_refused(centre):
    assert refused(centre, None)


def test_foreign_ca_is_refused(centre):
    foreign = centre.directory / "foreign-ca"
    make("init", foreign)
    assert refused(centre, centre.board("board-foreign", ca=foreign), f"{SHARD}/board-foreign")


def test_expired_and_not_yet_valid_are_refused(centre):
    old = centre.board("board-old", options=("--from", "20200101000000Z", "--until", "20210101000000Z"))
    new = centre.board("board-new", options=("--from", "20900101000000Z", "--until", "20910101000000Z"))
    assert refused(centre, old, f"{SHARD}/board-old")
    assert refused(centre, new, f"{SHARD}/board-new")


def test_revoked_is_refused_after_reload(centre):
    stolen = centre.board("board-stolen")
    assert not refused(centre, stolen, f"{SHARD}/board-stolen")
    make("revoke", centre.ca, f"{stolen}.crt")
    shutil.copy(centre.ca / "crl.pem", centre.directory / "crl.pem")
    centre.broker.process.popen.send_signal(signal.SIGHUP)
    support.wait_until(lambda: refused(centre, stolen, f"{SHARD}/board-stolen"), "the revoked board to be refused")
    assert not refused(centre, centre.board("board-fresh"), f"{SHARD}/board-fresh"), "the others still get in"


def test_the_broker_cannot_pose_as_a_board_nor_a_board_as_the_broker(centre, boards):
    assert refused(centre, centre.directory / "broker")
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(f"{boards[ONE]}.crt", f"{boards[ONE]}.key")
    ours, theirs = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = centre.context().wrap_bio(ours, theirs, server_hostname="localhost")
    server = served.wrap_bio(theirs, ours, server_side=True)
    with pytest.raises(ssl.SSLError):
        for _ in range(4):
            for side in (client, server):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    pass


def test_the_signer_refuses_what_it_should(centre, boards, tmp_path):
    make("request", tmp_path / "a", SHARD, "board-new-key")
    csr = tmp_path / "a/board.csr"
    out = tmp_path / "out.crt"
    wrong = certs("sign", centre.ca, csr, out, f"{SHARD}/somebody-else")
    assert wrong.returncode != 0 and "not for" in wrong.stderr
    make("request", tmp_path / "b", SHARD, ONE)
    twice = certs("sign", centre.ca, tmp_path / "b/board.csr", out, f"{SHARD}/{ONE}")
    assert twice.returncode != 0, "a second certificate for a board that has one"
    for subject in ("/CN=hub", "/CN=a", "/CN=A\\/b", "/CN=a\\/#", "/CN=a\\/b\\/c", "/O=x/CN=a\\/b"):
        subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", tmp_path / "k", "-out", tmp_path / "r", "-subj", subject], check=True,
                       capture_output=True)
        done = certs("sign", centre.ca, tmp_path / "r", out)
        assert done.returncode != 0 and "a board is called" in done.stderr, subject
    subprocess.run(["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "k", "-out",
                    tmp_path / "r", "-subj", "/CN=a\\/b"], check=True, capture_output=True)
    assert "P-256" in certs("sign", centre.ca, tmp_path / "r", out).stderr
    assert not out.exists() or not out.read_bytes()
    assert certs("client", centre.ca, tmp_path, f"{SHARD}/{ONE}").returncode != 0
    assert certs("init", centre.ca).returncode != 0, "a CA is never overwritten"
    assert (tmp_path / "a/board.key").stat().st_mode & 0o077 == 0, "the key is its owner's"


def tls_lines(centre, identity):
    return f"ca_file = {centre.ca}/ca.crt\ncert_file = {identity}.crt\nkey_file = {identity}.key\n"


def test_agent_and_hub_work_over_it(centre, run_dir, preload):
    """The real programs, with the packaged rules: facts arrive, are settled, and people can read the site. The
    board knows the time, whatever this machine's kernel says of itself: else it settles nothing."""
    clock = support.Clock(preload, run_dir / "clock")
    clock.set(True, None)
    hub = one_board.Hub(run_dir, centre.broker.port, mqtt=tls_lines(centre, centre.directory / "hub"))
    agent = one_board.Agent(run_dir, centre.broker.port, manager=clock,
                            mqtt=tls_lines(centre, centre.board("board", shard="test")))
    hub.start()
    agent.start()
    try:
        support.wait_until(lambda: len(agent.numbers()) > 5, "numbers")
        one_board.assert_all_delivered(agent, hub)
        agent.wait_for(lambda status: status["publisher"]["acknowledged"] > 0, "an acknowledgement")
        assert agent.status()["publisher"]["hub_online"]
    finally:
        agent.stop()
        hub.stop()


@pytest.mark.parametrize("wrong", ["another's certificate", "a foreign CA", "no certificate"])
def test_an_agent_that_is_refused_says_so_and_goes_on(centre, boards, run_dir, wrong):
    lines = tls_lines(centre, boards[ONE])
    if wrong == "a foreign CA":
        foreign = run_dir / "foreign"
        make("init", foreign)
        lines = lines.replace(str(centre.ca), str(foreign))
    elif wrong == "no certificate":
        lines = f"ca_file = {centre.ca}/ca.crt\n"
    agent = one_board.Agent(run_dir, centre.broker.port, mqtt=lines)
    agent.start()
    try:
        support.wait_until(lambda: len(agent.numbers()) > 5, "measuring to go on")
        if wrong == "another's certificate":
            # The broker knows it by its certificate, so that its own topic is refused to it.
            agent.wait_for(lambda status: status["publisher"]["refused"] > 0, "its publishes to be refused")
        else:
            agent.wait_for(lambda status: not status["publisher"]["connected"] and status["publisher"]["reason"],
                           "a reason")
        agent.wait_for(lambda status: status["journal"]["unsettled"]["attendance"] > 5, "nothing to be forgotten")
    finally:
        agent.stop()
