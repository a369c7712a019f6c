"""gRPC between services with certificates on both sides (trust: mTLS)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from switchlog.errors import NotNow
from switchlog.rpc import channel, create_server
from switchlog.testing import test_settings as settings_for_tests

from .conftest import free_port
from .test_rpc import Echo, add, say


def certificate(name, issuer=None):
    """(certificate, key) for ``name``, signed by ``issuer`` or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    )
    return built.sign(issuer[1] if issuer else key, hashes.SHA256()), key


@pytest.fixture
def settings(tmp_path):
    """Settings of a peer whose certificate is signed by the CA, and of one whose is not."""
    ca, foreign = certificate("ca"), certificate("foreign")

    def of(name, signer):
        cert, key = certificate(name, signer)
        files = {"tls_cert_file": cert.public_bytes(Encoding.PEM), "tls_ca_file": ca[0].public_bytes(Encoding.PEM)}
        files["tls_key_file"] = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        paths = {}
        for kind, content in files.items():
            paths[kind] = str(tmp_path / f"{name}-{kind}")
            (tmp_path / f"{name}-{kind}").write_bytes(content)
        return settings_for_tests(name, **paths)

    return {"routing": of("routing", ca), "stranger": of("stranger", foreign)}


async def test_only_a_peer_with_a_certificate_of_ours_is_heard(issuer, settings):
    own = replace(settings["routing"], grpc_port=free_port())
    server = create_server([(add, Echo())], issuer.verifier, own)
    await server.start()
    address = f"127.0.0.1:{own.grpc_port}"
    try:
        async with channel(address, issuer, settings=own) as peer:
            assert await say(peer, b"who") == b"testing"
        async with channel(address, issuer, settings=settings["stranger"]) as stranger:
            with pytest.raises(NotNow):
                await say(stranger, b"who")
        async with channel(address, issuer) as plain:
            with pytest.raises(NotNow):
                await say(plain, b"who")
    finally:
        await server.stop(0)
