"""The tables of one service's SQLite file."""

from __future__ import annotations

import sqlite3

# Events keep their order of arrival (`seq`), so that group commits fill whole pages; a stream is found by its index.
SCHEMA = """
CREATE TABLE IF NOT EXISTS streams (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, head INTEGER NOT NULL, watermark INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS unpublished ON streams (id) WHERE head > watermark;
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, stream INTEGER NOT NULL, version INTEGER NOT NULL, event_id TEXT NOT NULL,
    batch_id TEXT NOT NULL, command_id TEXT NOT NULL, request_sha256 TEXT NOT NULL, source TEXT NOT NULL,
    type TEXT NOT NULL, value BLOB NOT NULL, headers BLOB NOT NULL, recorded_at INTEGER NOT NULL,
    UNIQUE (stream, version));
CREATE TABLE IF NOT EXISTS timers (
    stream TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, due_at INTEGER NOT NULL, payload BLOB NOT NULL,
    PRIMARY KEY (stream, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS timers_due ON timers (due_at, stream, id);
CREATE TABLE IF NOT EXISTS views (
    view TEXT NOT NULL, partition TEXT NOT NULL, key TEXT NOT NULL, value BLOB, version INTEGER NOT NULL,
    PRIMARY KEY (view, partition, key));
CREATE TABLE IF NOT EXISTS seen (
    grp TEXT NOT NULL, source TEXT NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (grp, source)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS effects (id TEXT PRIMARY KEY, request BLOB NOT NULL, result BLOB);
CREATE INDEX IF NOT EXISTS effects_unfinished ON effects (id) WHERE result IS NULL;
CREATE TABLE IF NOT EXISTS keys (
    tenant TEXT NOT NULL, subject TEXT NOT NULL, wrapped BLOB, PRIMARY KEY (tenant, subject)) WITHOUT ROWID;
"""


def create(connection: sqlite3.Connection) -> None:
    """Make whatever is missing; safe beside another process that does the same."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute("COMMIT")
