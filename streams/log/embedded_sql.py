"""Every statement of the embedded log. The tables are made in `ops/migrations`.

Appends and commits are one statement each: one round trip, one transaction, one fsync. They take the lock of
their head row first and hold it until the commit, so offsets have no gaps and become visible in their order.
"""

from __future__ import annotations

from typing import Final

CHANNEL: Final = "tapefold_log"
"""Of NOTIFY. Payloads: `t <tape> <last offset>` and `j <tape> <last offset> <reached>`."""

PARTITION_LOCKS: Final = 0x7461_7067
"""First half of the key of the advisory lock under which partitions are made; the second is 0."""

# $1 tape, $2 number of inputs, $3 their texts.
# The clock is read while the row is updated: had another append been under way, Postgres waits for its row
# lock and then computes the new row again. So times follow the order of offsets. now() would be the time at
# which this transaction began to wait.
APPEND: Final = f"""
WITH head AS (
    UPDATE tape.heads
    SET next_offset = next_offset + $2::bigint,
        at = floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
    WHERE tape = $1::int
    RETURNING next_offset - $2::bigint AS first, at
), stored AS (
    INSERT INTO tape.inputs (tape, "offset", at, data)
    SELECT $1::int, head.first + input.place - 1, head.at, input.data
    FROM head, unnest($3::text[]) WITH ORDINALITY AS input (data, place)
)
SELECT first, at, pg_notify('{CHANNEL}', format('t %s %s', $1::int, first + $2::bigint - 1)) FROM head
"""

# $1 tape, $2 expected next offset, $3 epoch, $4 new reached, $5 what the old one must be less than,
# $6 tape offsets of the parts, $7 their texts. No row: the expectation is wrong, nothing is stored.
COMMIT: Final = f"""
WITH head AS (
    UPDATE tape.journal_heads
    SET next_offset = next_offset + cardinality($6::bigint[]), reached = $4::bigint
    WHERE tape = $1::int AND next_offset = $2::bigint AND epoch = $3::bigint AND reached < $5::bigint
    RETURNING next_offset
), stored AS (
    INSERT INTO tape.entries (tape, "offset", tape_offset, data)
    SELECT $1::int, $2::bigint + part.place - 1, part.tape_offset, part.data
    FROM head, unnest($6::bigint[], $7::text[]) WITH ORDINALITY AS part (tape_offset, data, place)
)
SELECT next_offset - 1 AS last,
    pg_notify('{CHANNEL}', format('j %s %s %s', $1::int, next_offset - 1, $4::bigint))
FROM head
"""

# $1 tape. Fences every earlier claim: their commits name an older epoch. A commit under way ends first.
CLAIM: Final = """
UPDATE tape.journal_heads SET epoch = epoch + 1 WHERE tape = $1::int
RETURNING epoch, next_offset - 1 AS journal, reached
"""

# $1 tape, $2 after, $3 limit.
READ_TAPE: Final = """
SELECT "offset", at, data FROM tape.inputs WHERE tape = $1::int AND "offset" > $2::bigint
ORDER BY "offset" LIMIT $3::bigint
"""

# $1 tape, $2 after, $3 limit. One statement, so head and records are of one snapshot. Records beside one
# another with the same tape offset are one entry: `rest` goes on from the last of the page, record by record,
# to the end of its entry. Without a record there is one row, of the head alone.
READ_JOURNAL: Final = """
WITH RECURSIVE page AS (
    SELECT "offset", tape_offset, data FROM tape.entries WHERE tape = $1::int AND "offset" > $2::bigint
    ORDER BY "offset" LIMIT $3::bigint
), rest AS (
    (SELECT "offset", tape_offset, data, 0 AS nth FROM page ORDER BY "offset" DESC LIMIT 1)
    UNION ALL
    SELECT entry."offset", entry.tape_offset, entry.data, nth + 1
    FROM rest JOIN tape.entries AS entry
        ON entry.tape = $1::int AND entry."offset" = rest."offset" + 1
        AND entry.tape_offset = rest.tape_offset
), whole AS (
    SELECT "offset", tape_offset, data FROM page
    UNION ALL
    SELECT "offset", tape_offset, data FROM rest WHERE nth > 0
)
SELECT head.next_offset - 1 AS last, head.reached, whole."offset", whole.tape_offset, whole.data
FROM tape.journal_heads AS head LEFT JOIN whole ON true
WHERE head.tape = $1::int ORDER BY whole."offset"
"""

# $1 tape.
HEAD: Final = """
SELECT head.next_offset - 1 AS tape, journal.next_offset - 1 AS journal, journal.reached, journal.epoch
FROM tape.heads AS head JOIN tape.journal_heads AS journal USING (tape) WHERE tape = $1::int
"""

# The ends of all tapes, to start listening from.
HEADS: Final = """
SELECT tape, head.next_offset - 1 AS last, journal.next_offset - 1 AS journal, journal.reached
FROM tape.heads AS head JOIN tape.journal_heads AS journal USING (tape)
"""

SETTINGS: Final = "SELECT tapes, partition_offsets FROM tape.settings"

LOCK_PARTITIONS: Final = f"SELECT pg_advisory_xact_lock({PARTITION_LOCKS}, 0)"

# How far each table must reach, and which of its partitions there are.
PARTITIONS: Final = """
SELECT owner.name, owner.next_offset, array_remove(array_agg(child.relname::text), NULL) AS partitions
FROM (
    SELECT 'inputs' AS name, max(next_offset) AS next_offset FROM tape.heads
    UNION ALL SELECT 'entries', max(next_offset) FROM tape.journal_heads
) AS owner
LEFT JOIN pg_inherits ON inhparent = ('tape.' || owner.name)::regclass
LEFT JOIN pg_class AS child ON child.oid = inhrelid
GROUP BY owner.name, owner.next_offset
"""

# Made apart and attached, because attaching does not keep readers and writers of the table out.
ADD_PARTITION: Final = """
CREATE TABLE tape.{partition} (LIKE tape.{table} INCLUDING ALL);
ALTER TABLE tape.{table} ATTACH PARTITION tape.{partition} FOR VALUES FROM ({first}) TO ({end});
"""
