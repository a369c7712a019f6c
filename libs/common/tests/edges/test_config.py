"""Settings come from a mapping, purely, and a wrong one is named."""

import pytest

from switchlog.config import PORTS, ConfigError, kernel_settings
from switchlog.runtime import _listen


def test_defaults_are_the_published_ports():
    settings = kernel_settings({}, "routing", PORTS["routing"])
    assert (settings.http_port, settings.grpc_port, settings.port_variable) == (8103, 9103, "ROUTING_PORT")
    assert settings.kafka_bootstrap == "127.0.0.1:19092"
    assert settings.auth_jwks_url == "http://127.0.0.1:8100/jwks.json"
    assert settings.owners["agent_state"] == "127.0.0.1:9104"
    assert (settings.store.kind, settings.store.cassandra_port) == ("sqlite", 19042)
    assert settings.demo is False


def test_every_published_variable_is_read():
    env = {
        "KAFKA_BOOTSTRAP": "k:1",
        "STORE": "cassandra",
        "DATA_DIR": "/data",
        "CASSANDRA_HOSTS": "a, b",
        "CASSANDRA_PORT": "9",
        "CASSANDRA_KEYSPACE_PREFIX": "t_",
        "AUTH_ISSUER": "https://id",
        "AUTH_JWKS_URL": "https://id/keys",
        "SERVICE_TOKEN_FILE": "/token",
        "ROUTING_PORT": "1003",
        "AGENT_STATE_GRPC": "agents:7",
        "TICKETING_PORT": "2000",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://otlp",
        "LOG_LEVEL": "DEBUG",
        "MASTER_KEY": "k",
        "MASTER_KEY_FILE": "/k",
        "SWITCHLOG_DEMO": "1",
    }
    settings = kernel_settings(env, "routing", 8103)
    assert settings.kafka_bootstrap == "k:1"
    assert (settings.store.kind, settings.store.path, settings.store.cassandra_hosts) == (
        "cassandra",
        "/data",
        ("a", "b"),
    )
    assert (settings.store.cassandra_port, settings.store.keyspace_prefix) == (9, "t_")
    assert (settings.auth_issuer, settings.auth_jwks_url) == ("https://id", "https://id/keys")
    assert (settings.http_port, settings.grpc_port) == (1003, 2003)
    assert (settings.owners["agent_state"], settings.owners["ticketing"]) == ("agents:7", "127.0.0.1:3000")
    assert (settings.otlp_endpoint, settings.log_level, settings.demo) == ("http://otlp", "DEBUG", True)
    assert (settings.service_token_file, settings.master_key, settings.master_key_file) == ("/token", "k", "/k")


@pytest.mark.parametrize(
    "name, value", [("ROUTING_PORT", "x"), ("ROUTING_PORT", "70000"), ("STORE", "redis"), ("LOG_LEVEL", "loud")]
)
def test_a_wrong_setting_is_named(name, value):
    with pytest.raises(ConfigError, match=name):
        kernel_settings({name: value}, "routing", 8103)


def test_secrets_are_not_in_the_repr():
    settings = kernel_settings({"MASTER_KEY": "s3cret", "SERVICE_CLIENT_SECRET": "hush"}, "routing", 8103)
    assert "s3cret" not in repr(settings)
    assert "hush" not in repr(settings)


def test_a_taken_port_is_named_with_the_variable_to_change():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = kernel_settings({"ROUTING_PORT": str(taken.getsockname()[1])}, "routing", 8103)
        with pytest.raises(ConfigError, match=rf"{settings.http_port}.*ROUTING_PORT"), _listen(settings):
            pass
