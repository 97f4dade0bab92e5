-- Where the journal's entries of reads wait on PostgreSQL, many in one row. On SQLite it stays
-- empty: there they wait in a file of their own, with the same table.
CREATE TABLE journal_waiting (
    id BIGINT PRIMARY KEY,
    earliest_ms BIGINT NOT NULL,
    entries BLOB NOT NULL
);
CREATE INDEX journal_waiting_earliest ON journal_waiting (earliest_ms, id);
