"""An Apache Kafka of one node, whose jars `tools/kafka_broker_jars.py` fetches, and its client."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

CLUSTER = "5L6g3nShT-eMCtK--X86sw"
SECONDS_TO_START = 240.0  # of a machine that others use
JAVA_OPTIONS = (
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
)
SETTINGS = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},SASL_SSL://127.0.0.1:{tls},\
CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL_SSL://127.0.0.1:{tls}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_ana="{password}";
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
log.dirs={folder}/data
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
num.network.threads=1
num.io.threads=2
log.cleaner.enable=false
"""
PASSWORD = "s3cret-of-ana"  # of the user ana, where it listens over TLS
Message = tuple[bytes | None, bytes | None]  # its key and its body


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def write_certificate(file: Path) -> str:
    """Write a key and its certificate, signed by itself, for this machine; return the latter."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "broker")])
    begin = datetime.now(UTC) - timedelta(days=1)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=30))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(private + certificate)
    return certificate.decode()


class Broker:
    """A broker in a folder; it ends with the block."""

    def __init__(self, folder: Path) -> None:
        from kafka_broker_jars import FOLDER, install

        install()
        self.folder, self.port = folder, free_port()
        self.jars = f"{FOLDER}/*"
        self.tls_port, self.certificate = free_port(), write_certificate(folder / "broker.pem")
        settings = SETTINGS.format(
            port=self.port,
            tls=self.tls_port,
            controller=free_port(),
            folder=folder,
            password=PASSWORD,
        )
        (folder / "server.properties").write_text(settings, encoding="utf-8")
        self.process: subprocess.Popen[bytes] | None = None
        self.beginning = ThreadPoolExecutor(1)
        self.begun: Future[None] | None = None

    def _java(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        """Start a program of Kafka's, with the settings as its last word."""
        from datamaster_kit.targets.jvm.java import find_java

        java = str(find_java().home / "bin" / "java")
        file = str(self.folder / "server.properties")
        with (self.folder / "broker.log").open("ab") as log:
            return subprocess.Popen(
                [java, *JAVA_OPTIONS, "-cp", self.jars, name, *words, file],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def servers(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.process = self._java("kafka.Kafka")
        end = time.monotonic() + SECONDS_TO_START
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    log = (self.folder / "broker.log").read_text(encoding="utf-8")
                    raise RuntimeError(log[-2000:]) from None
                time.sleep(0.05)

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _begin(self) -> None:
        """Make its store, and start it."""
        self._java("kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c").wait()
        self.start()

    def __enter__(self) -> Broker:
        """Have it start, while others do the same; who first talks to it waits for it."""
        self.begun = self.beginning.submit(self._begin)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self.beginning.shutdown()
        self.kill()

    @cached_property
    def admin(self) -> AdminClient:
        """A client that makes topics."""
        from confluent_kafka.admin import AdminClient

        if self.begun is not None:
            self.begun.result()
        return AdminClient({"bootstrap.servers": self.servers, "log_level": 0})

    def create(self, topic: str, partitions: int = 1) -> None:
        """Make a topic."""
        from confluent_kafka.admin import NewTopic

        self.admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(30)

    def add_partition(self, topic: str, partitions: int) -> None:
        """Have a topic have more partitions."""
        from confluent_kafka.admin import NewPartitions

        self.admin.create_partitions([NewPartitions(topic, partitions)])[topic].result(30)

    def truncate(self, topic: str, before: int, partition: int = 0) -> None:
        """Remove the events of a partition before an offset, as a retention does."""
        from confluent_kafka import TopicPartition

        (result,) = self.admin.delete_records([TopicPartition(topic, partition, before)]).values()
        result.result(30)

    def send(
        self,
        topic: str,
        messages: Iterable[Message],
        partition: int = 0,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Send messages to a partition, each with its key and body."""
        from confluent_kafka import Producer

        client = Producer({"bootstrap.servers": self.servers, "linger.ms": 0, "log_level": 0})
        for key, body in messages:
            client.produce(topic, body, key, partition, headers=list(headers))
        assert client.flush(30) == 0
