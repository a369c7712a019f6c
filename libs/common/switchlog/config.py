"""What a process of Switchlog is told from outside, read once from the environment by ``__main__``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from switchlog.store.settings import StoreSettings

# Who listens where unless told otherwise (interfaces.md, Ports); gRPC is the HTTP port + 1000.
PORTS: Mapping[str, int] = MappingProxyType(
    {
        "console": 8080,
        "issuer": 8100,
        "ingress_chat": 8101,
        "ingress_voice": 8102,
        "routing": 8103,
        "agent_state": 8104,
        "ticketing": 8105,
        "recording": 8106,
        "analytics": 8107,
        "customers": 8108,
    }
)
GRPC_OFFSET = 1000
STORES = ("sqlite", "cassandra", "memory")


class ConfigError(Exception):
    """A setting is missing or wrong; the text names the variable."""


class PortTaken(ConfigError):
    """Somebody listens there already."""


@dataclass(frozen=True, slots=True)
class KernelSettings:
    """Everything the common library needs to know; ``owners`` is service -> gRPC address ``host:port``.

    Secrets are left out of the repr. ``commands_per_s`` and ``commands_burst`` are per tenant and process.
    """

    service: str
    store: StoreSettings
    http_port: int
    grpc_port: int
    http_host: str = "127.0.0.1"
    kafka_bootstrap: str = "127.0.0.1:19092"
    auth_issuer: str = "http://127.0.0.1:8100"
    auth_jwks_url: str = "http://127.0.0.1:8100/jwks.json"
    auth_audience: str = "switchlog"
    auth_token_url: str = "http://127.0.0.1:8100/token"
    service_token_file: str = ""
    client_secret: str = field(default="", repr=False)
    allowed_origins: tuple[str, ...] = ()
    otlp_endpoint: str = ""
    log_level: str = "INFO"
    owners: Mapping[str, str] = field(default_factory=dict)
    master_key: str = field(default="", repr=False)
    master_key_file: str = ""
    tls_cert_file: str = ""
    tls_key_file: str = ""
    tls_ca_file: str = ""
    commands_per_s: float = 200.0
    commands_burst: int = 1000
    demo: bool = False

    @property
    def port_variable(self) -> str:
        """The environment variable that moves ``http_port``."""
        return f"{self.service.upper()}_PORT"


def kernel_settings(env: Mapping[str, str], service: str, default_port: int) -> KernelSettings:
    """The settings of ``service`` in ``env``; pure. Raises ``ConfigError`` naming the variable that is wrong."""
    port = _port(env, f"{service.upper()}_PORT", default_port)
    issuer = env.get("AUTH_ISSUER") or f"http://127.0.0.1:{_port(env, 'ISSUER_PORT', PORTS['issuer'])}"
    demo = env.get("SWITCHLOG_DEMO") == "1"
    return KernelSettings(
        service=service,
        store=store_settings(env),
        http_host=env.get("HTTP_HOST", "127.0.0.1"),
        http_port=port,
        grpc_port=_port(env, f"{service.upper()}_GRPC_PORT", port + GRPC_OFFSET),
        kafka_bootstrap=env.get("KAFKA_BOOTSTRAP", "127.0.0.1:19092"),
        auth_issuer=issuer,
        auth_jwks_url=env.get("AUTH_JWKS_URL") or f"{issuer}/jwks.json",
        auth_audience=env.get("AUTH_AUDIENCE", "switchlog"),
        auth_token_url=env.get("AUTH_TOKEN_URL") or f"{issuer}/token",
        service_token_file=env.get("SERVICE_TOKEN_FILE", ""),
        client_secret=env.get("SERVICE_CLIENT_SECRET", ""),
        allowed_origins=_words(env.get("ALLOWED_ORIGINS", "")) or _console_origins(env),
        otlp_endpoint=env.get("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
        log_level=_one_of(env, "LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
        owners=owners(env),
        master_key=env.get("MASTER_KEY", ""),
        master_key_file=env.get("MASTER_KEY_FILE", ""),
        tls_cert_file=env.get("TLS_CERT_FILE", ""),
        tls_key_file=env.get("TLS_KEY_FILE", ""),
        tls_ca_file=env.get("TLS_CA_FILE", ""),
        commands_per_s=_number(env, "COMMANDS_PER_S", 200.0),
        commands_burst=int(_number(env, "COMMANDS_BURST", 1000)),
        demo=demo,
    )


def store_settings(env: Mapping[str, str]) -> StoreSettings:
    """Which store, and where: ``STORE DATA_DIR CASSANDRA_HOSTS CASSANDRA_PORT CASSANDRA_KEYSPACE_PREFIX``."""
    return StoreSettings(
        kind=_one_of(env, "STORE", "sqlite", STORES),  # type: ignore[arg-type]  # one of STORES, checked here
        path=env.get("DATA_DIR", "build/data/sqlite"),
        cassandra_hosts=_words(env.get("CASSANDRA_HOSTS", "127.0.0.1")),
        cassandra_port=_port(env, "CASSANDRA_PORT", 19042),
        keyspace_prefix=env.get("CASSANDRA_KEYSPACE_PREFIX", ""),
    )


def owners(env: Mapping[str, str]) -> Mapping[str, str]:
    """The gRPC address of every service: ``<SERVICE>_GRPC``, by default loopback at its HTTP port + 1000."""
    return MappingProxyType({name: _owner(env, name, port) for name, port in PORTS.items() if name != "issuer"})


def _owner(env: Mapping[str, str], service: str, default_port: int) -> str:
    name = service.upper()
    port = _port(env, f"{name}_GRPC_PORT", _port(env, f"{name}_PORT", default_port) + GRPC_OFFSET)
    return env.get(f"{name}_GRPC") or f"127.0.0.1:{port}"


def _console_origins(env: Mapping[str, str]) -> tuple[str, ...]:
    port = _port(env, "CONSOLE_PORT", PORTS["console"])
    return (f"http://127.0.0.1:{port}", f"http://localhost:{port}")


def _port(env: Mapping[str, str], name: str, default: int) -> int:
    port = int(_number(env, name, default))
    if not 0 <= port <= 65535:
        raise ConfigError(f"{name} must be a port from 0 to 65535, not {port}")
    return port


def _number(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name, "")
    try:
        number = float(text) if text else float(default)
    except ValueError:
        raise ConfigError(f"{name} must be a number, not {text!r}") from None
    if not 0 <= number < float("inf"):
        raise ConfigError(f"{name} must be a number from 0 on, not {text!r}")
    return number


def _one_of(env: Mapping[str, str], name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = env.get(name) or default
    if value not in allowed:
        raise ConfigError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")
    return value


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.replace(",", " ").split() if word)
