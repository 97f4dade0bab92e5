-- 更正回执: who is told when a debt that it was shown is revoked.
ALTER TABLE partner ADD COLUMN corrections BIGINT NOT NULL DEFAULT 0;

-- 催缴提醒: one row for each person who is or was reminded; `job_id` is the latest reminder's.
-- `told_ms` is when one was last taken, `times` how often in a row of the same debts, and the rest
-- what it said, by which a change shows. Who the person is stands with his records alone.
CREATE TABLE overdue_reminder (
    id BIGINT PRIMARY KEY,
    person BLOB NOT NULL,
    job_id BIGINT NOT NULL,
    made_ms BIGINT NOT NULL,
    told_ms BIGINT,
    times BIGINT NOT NULL,
    items BIGINT NOT NULL,
    amount_fen BIGINT NOT NULL,
    newest_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX overdue_reminder_person ON overdue_reminder (person);

-- How far the walk over all debtors has come, so that a node that dies in the middle of it is
-- taken over where it stood: up to and with `person`.
CREATE TABLE overdue_reminder_walk (
    id BIGINT PRIMARY KEY,
    begun_ms BIGINT NOT NULL,
    person BLOB NOT NULL,
    ended_ms BIGINT
);

-- A real-name record that was revoked, as it stood then: it may be reported anew with another
-- content before everybody was told. `id` is that of the change. Others could see it since
-- `since_ms`.
CREATE TABLE overdue_revocation (
    id BIGINT PRIMARY KEY,
    item_id BIGINT NOT NULL,
    partner_id BIGINT NOT NULL,
    person BLOB NOT NULL,
    person_sealed BLOB NOT NULL,
    amount_fen BIGINT NOT NULL,
    since_ms BIGINT NOT NULL,
    revoked_ms BIGINT NOT NULL
);
CREATE INDEX overdue_revocation_revoked ON overdue_revocation (revoked_ms);

-- Whom to tell of a revocation, each partner once.
CREATE TABLE overdue_correction (
    id BIGINT PRIMARY KEY,
    revocation_id BIGINT NOT NULL,
    partner_id BIGINT NOT NULL,
    asked_ms BIGINT NOT NULL,
    told_ms BIGINT
);
CREATE UNIQUE INDEX overdue_correction_partner ON overdue_correction (revocation_id, partner_id);
