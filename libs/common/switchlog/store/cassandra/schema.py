"""The tables of one service's keyspace, and every statement that is prepared at open."""

from __future__ import annotations

from switchlog.store.rows import COLUMNS

# A partition of the log is one bucket of a stream; its head is written by conditional batches only, never plainly.
TABLES = {
    "log": """(tenant text, stream text, bucket int, version bigint, head bigint static, last_batch text static,
        event_id text, batch_id text, command_id text, request_sha256 text, source text, type text, value blob,
        headers blob, recorded_at bigint, PRIMARY KEY ((tenant, stream, bucket), version))""",
    "bucket_hints": "(tenant text, stream text, bucket int, PRIMARY KEY ((tenant, stream)))",
    "watermarks": "(tenant text, stream text, version bigint, lowered bigint, PRIMARY KEY ((tenant, stream)))",
    # marks and clears are only inserted, and dropped by the partition: the sweeper wades through no tombstones
    "mark_minutes": "(shard int, minute bigint, process text, PRIMARY KEY (shard, minute, process))",
    "marks": "(process text, minute bigint, tick bigint, at bigint, notes blob, PRIMARY KEY ((process, minute), tick))",
    "clears": "(process text, minute bigint, n bigint, ticks blob, PRIMARY KEY ((process, minute), n))",
    "timers": """(tenant text, stream text, id text, version bigint, kind text, due_at bigint, slot bigint,
        payload blob, PRIMARY KEY ((tenant, stream), id))""",
    "timers_due": """(slot bigint, due_at bigint, tenant text, stream text, id text, version bigint,
        PRIMARY KEY (slot, due_at, tenant, stream, id))""",
    "timer_slots": "(shard int, slot bigint, PRIMARY KEY (shard, slot))",
    "views": "(name text, part text, key text, version bigint, value blob, PRIMARY KEY ((name, part), key))",
    "seen": "(grp text, source text, version bigint, PRIMARY KEY ((grp, source)))",
    "effects": "(id text PRIMARY KEY, request blob, result blob)",
    "effects_open": "(shard int, id text, request blob, PRIMARY KEY (shard, id))",
    "subject_keys": "(tenant text, subject text, wrapped blob, erased boolean, PRIMARY KEY ((tenant, subject)))",
}
OPTIONS = {
    "mark_minutes": "gc_grace_seconds = 3600",
    "marks": "gc_grace_seconds = 3600",
    "clears": "gc_grace_seconds = 3600",
    "seen": "default_time_to_live = 3456000",  # 40 days, longer than any topic
    "subject_keys": "gc_grace_seconds = 3600",
}

_COLUMNS = ", ".join(COLUMNS)
_MARKS = ", ".join("?" for _ in COLUMNS)
_IN_BUCKET = "tenant = ? AND stream = ? AND bucket = ?"
_OF_STREAM = "tenant = ? AND stream = ?"

STATEMENTS = {
    "move_head": f"UPDATE log SET head = ?, last_batch = ? WHERE {_IN_BUCKET} IF head = ? AND last_batch != ?",
    "open_bucket": f"UPDATE log SET head = ?, last_batch = ? WHERE {_IN_BUCKET} IF head = null AND last_batch != ?",
    "insert_row": f"INSERT INTO log (tenant, stream, bucket, {_COLUMNS}) VALUES (?, ?, ?, {_MARKS})",
    "read_rows": f"SELECT {_COLUMNS} FROM log WHERE {_IN_BUCKET} AND version > ?",
    "read_some_rows": f"SELECT {_COLUMNS} FROM log WHERE {_IN_BUCKET} AND version > ? LIMIT ?",
    "read_row": f"SELECT {_COLUMNS} FROM log WHERE {_IN_BUCKET} AND version = ?",
    "read_head": f"SELECT head FROM log WHERE {_IN_BUCKET} LIMIT 1",
    "streams": "SELECT DISTINCT tenant, stream, bucket FROM log",
    "read_hint": f"SELECT bucket FROM bucket_hints WHERE {_OF_STREAM}",
    "write_hint": "INSERT INTO bucket_hints (tenant, stream, bucket) VALUES (?, ?, ?) USING TIMESTAMP ?",
    "read_watermark": f"SELECT version, lowered FROM watermarks WHERE {_OF_STREAM}",
    "raise_watermark": "INSERT INTO watermarks (tenant, stream, version) VALUES (?, ?, ?) USING TIMESTAMP ?",
    "lower_watermark": f"UPDATE watermarks SET lowered = ? WHERE {_OF_STREAM}",
    "forget_lowered": f"DELETE lowered FROM watermarks WHERE {_OF_STREAM}",
    "write_minute": "INSERT INTO mark_minutes (shard, minute, process) VALUES (?, ?, ?)",
    "read_minutes": "SELECT minute, process FROM mark_minutes WHERE shard = ?",
    "drop_minute": "DELETE FROM mark_minutes WHERE shard = ? AND minute = ? AND process = ?",
    "write_mark": "INSERT INTO marks (process, minute, tick, at, notes) VALUES (?, ?, ?, ?, ?)",
    "read_marks": "SELECT tick, at, notes FROM marks WHERE process = ? AND minute = ? AND tick > ?",
    "drop_marks": "DELETE FROM marks WHERE process = ? AND minute = ?",
    "write_clear": "INSERT INTO clears (process, minute, n, ticks) VALUES (?, ?, ?, ?)",
    "read_clears": "SELECT n, ticks FROM clears WHERE process = ? AND minute = ? AND n > ?",
    "drop_clears": "DELETE FROM clears WHERE process = ? AND minute = ?",
    "set_timer": """INSERT INTO timers (tenant, stream, id, version, kind, due_at, slot, payload)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?""",
    "clear_timer": f"DELETE FROM timers USING TIMESTAMP ? WHERE {_OF_STREAM} AND id = ?",
    "read_timer": f"SELECT version, kind, due_at, slot, payload FROM timers WHERE {_OF_STREAM} AND id = ?",
    "set_due": """INSERT INTO timers_due (slot, due_at, tenant, stream, id, version)
        VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?""",
    "read_due": """SELECT due_at, tenant, stream, id, version FROM timers_due
        WHERE slot = ? AND due_at <= ? LIMIT ?""",
    "drop_due": """DELETE FROM timers_due USING TIMESTAMP ?
        WHERE slot = ? AND due_at = ? AND tenant = ? AND stream = ? AND id = ?""",
    "write_slot": "INSERT INTO timer_slots (shard, slot) VALUES (0, ?)",
    "read_slots": "SELECT slot FROM timer_slots WHERE shard = 0",
    "drop_slot": "DELETE FROM timer_slots WHERE shard = 0 AND slot = ?",
    "put_view": """INSERT INTO views (name, part, key, version, value)
        VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?""",
    "get_view": "SELECT key, value, version FROM views WHERE name = ? AND part = ? AND key = ?",
    "scan_view": "SELECT key, value, version FROM views WHERE name = ? AND part = ? AND key > ? LIMIT ?",
    "delete_view": "DELETE FROM views USING TIMESTAMP ? WHERE name = ? AND part = ? AND key = ?",
    "put_seen": "INSERT INTO seen (grp, source, version) VALUES (?, ?, ?) USING TIMESTAMP ?",
    "get_seen": "SELECT version FROM seen WHERE grp = ? AND source = ?",
    "claim_effect": "INSERT INTO effects (id, request) VALUES (?, ?) IF NOT EXISTS",
    "finish_effect": "UPDATE effects SET result = ? WHERE id = ? IF EXISTS",
    "read_effect": "SELECT request, result FROM effects WHERE id = ?",
    "open_effect": "INSERT INTO effects_open (shard, id, request) VALUES (?, ?, ?)",
    "close_effect": "DELETE FROM effects_open WHERE shard = ? AND id = ?",
    "read_open_effects": "SELECT id FROM effects_open WHERE shard = ? LIMIT ?",
    "create_key": "INSERT INTO subject_keys (tenant, subject, wrapped, erased) VALUES (?, ?, ?, false) IF NOT EXISTS",
    "read_key": "SELECT wrapped, erased FROM subject_keys WHERE tenant = ? AND subject = ?",
    # an empty value, not a null: what it overwrites goes with the next compaction, without any grace
    "erase_key": """UPDATE subject_keys SET wrapped = 0x, erased = true
        WHERE tenant = ? AND subject = ? IF erased != true""",
}
