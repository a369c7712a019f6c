"""Apache Kafka and Apache Cassandra on this machine from pip alone: for `make up`, the demo and the tests."""

from switchlog_local.errors import BadJar, LocalError, NoJava, NoNetwork, PortTaken, StartFailed
from switchlog_local.servers import Cassandra, Kafka, Server
from switchlog_local.sockets import free_ports

__all__ = [
    "BadJar",
    "Cassandra",
    "Kafka",
    "LocalError",
    "NoJava",
    "NoNetwork",
    "PortTaken",
    "Server",
    "StartFailed",
    "free_ports",
]
