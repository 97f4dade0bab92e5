-- 申诉: a citizen says that a record is wrong. What he wrote, how he can be reached and what he is
-- answered are sealed.
-- state: 0 open, 1 withdrawn, 2 upheld, 3 rejected, 4 settled (the record itself ended it).
CREATE TABLE overdue_appeal (
    id BIGINT PRIMARY KEY,
    item_id BIGINT NOT NULL,
    partner_id BIGINT NOT NULL,
    person BLOB NOT NULL,
    reason TEXT NOT NULL,
    text_sealed BLOB NOT NULL,
    contact_sealed BLOB NOT NULL,
    state BIGINT NOT NULL,
    answer_sealed BLOB,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    decided_by TEXT
);
-- A record has one open appeal at the most, whatever happens at once.
CREATE UNIQUE INDEX overdue_appeal_open ON overdue_appeal (item_id) WHERE state = 0;
CREATE INDEX overdue_appeal_item ON overdue_appeal (item_id, id);
CREATE INDEX overdue_appeal_person ON overdue_appeal (person, id);
CREATE INDEX overdue_appeal_waiting ON overdue_appeal (created_ms, id) WHERE state = 0;
CREATE INDEX overdue_appeal_ended ON overdue_appeal (changed_ms) WHERE state <> 0;

-- Its progress, in the order of `number`.
CREATE TABLE overdue_appeal_event (
    appeal_id BIGINT NOT NULL,
    number BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    step TEXT NOT NULL,
    PRIMARY KEY (appeal_id, number)
);

-- Whether a record is under an open appeal: kept in step by the same transaction, so that the
-- look-up at the registration window needs no second table.
ALTER TABLE overdue_item ADD COLUMN appealed BIGINT NOT NULL DEFAULT 0;
