"""Logs are JSON, one line a message, whatever is put into them (trust, Attacks: newlines and control characters)."""

import io
import json
import logging

import pytest

from switchlog.log import WITHHELD, configure_logging, get_logger
from switchlog.telemetry import current_trace_id, span


def test_a_message_is_one_line_with_time_level_service_and_trace(lines):
    with span("here"):
        get_logger("x").info("ticket_opened", ticket_id="t1")
        trace_id = current_trace_id()
    [line] = lines()
    assert line["event"] == "ticket_opened"
    assert (line["ticket_id"], line["level"], line["service"], line["logger"]) == ("t1", "info", "testing", "x")
    assert line["trace_id"] == trace_id
    assert line["at"].endswith("Z")


def test_newlines_and_control_characters_stay_in_one_line(lines):
    nasty = 'a\nb\r\x1b[31m\x00\x7f\x85\u2028\u2029\u202e{"level":"info"}'
    get_logger().warning(nasty, place=nasty, **{"key\n": 1})
    logging.getLogger("foreign").warning("%s\nforged", nasty)
    assert len(lines()) == 2
    assert lines()[0]["place"] == nasty


def test_the_raw_line_is_printable_ascii():
    stream = io.StringIO()
    configure_logging("testing", "DEBUG", stream)
    get_logger().info("x\x7f\u202e\x85", name_of_queue="客服\n")
    assert "u007f" in stream.getvalue()
    assert all(0x20 <= ord(letter) < 0x7F for letter in stream.getvalue().removesuffix("\n"))


def test_lone_surrogates_do_not_break_the_logger(lines):
    get_logger().info("bad", place="\ud800")
    assert len(lines()) == 1


@pytest.mark.parametrize("key", ["token", "authorization", "text", "phone", "email", "password", "ticket"])
def test_personal_and_secret_keys_are_withheld(lines, key):
    get_logger().info("x", **{key: "13800138000"})
    assert lines()[0][key] == WITHHELD


def test_a_token_is_withheld_wherever_it_stands(lines, issuer):
    token = issuer.issue()
    logging.getLogger("some.library").error("GET /x?access=%s failed", token)
    assert token not in json.dumps(lines())
    assert WITHHELD in lines()[0]["event"]


@pytest.mark.parametrize("name", ["uvicorn.error", "grpc._cython.cygrpc", "aiokafka.consumer", "anything"])
def test_libraries_are_routed_through_the_same_lines(lines, name):
    logging.getLogger(name).warning("hello %s", "there")
    [line] = lines()
    assert (line["event"], line["logger"], line["service"]) == ("hello there", name, "testing")


def test_an_exception_is_told_in_the_same_line_without_local_variables(lines):
    def fail(phone):
        raise ValueError("boom")

    try:
        fail("13800138000")
    except ValueError:
        get_logger().exception("failed")
    [line] = lines()
    assert line["exception"][0]["exc_type"] == "ValueError"
    assert "13800138000" not in json.dumps(line)


def test_levels_are_kept(lines):
    configure_logging("testing", "WARNING", io.StringIO())
    assert not logging.getLogger("x").isEnabledFor(logging.INFO)
