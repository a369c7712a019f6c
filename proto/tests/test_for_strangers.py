"""A subscriber in any language needs one file of ours: released.binpb."""

import subprocess
import sys

import golden_bytes
import pytest
from google.protobuf.descriptor_pool import Default

from contactcenter import catalogue


def image_file(message: str) -> str:
    return Default().FindMessageTypeByName(message).file.name


PUBLIC = [topic for topic in catalogue.TOPICS if not topic.internal]


@pytest.mark.parametrize("topic", PUBLIC, ids=lambda topic: topic.name)
def test_protoc_decodes_a_value_with_the_released_image_alone(topic: catalogue.Topic) -> None:
    name = topic.facts[0] if topic.facts else topic.message
    value = (golden_bytes.GOLDEN / f"{name}.bin").read_bytes()
    image = f"--descriptor_set_in={golden_bytes.PROTO / 'released.binpb'}"
    file = image_file(topic.message)
    command = [sys.executable, "-m", "grpc_tools.protoc", image, f"--decode={topic.message}", file]
    shown = subprocess.run(command, input=value, capture_output=True, check=True).stdout.decode()
    head = "meta {" if topic.facts else 'tenant_id: "tenant_id-0'
    assert shown.startswith(head)
    assert not any(line.lstrip()[:1].isdigit() for line in shown.splitlines()), "a field is unknown to the image"
