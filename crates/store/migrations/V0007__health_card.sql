-- Card numbers have room for eleven digits of an id, so persons have a sequence of their own.
INSERT INTO id_block (name, next) VALUES ('person', 100001);

-- Whoever has a health card. `card_code` is half the keyed code of the index, `sealed` who it is.
CREATE TABLE person (
    id BIGINT PRIMARY KEY,
    card_code BLOB NOT NULL,
    sealed BLOB NOT NULL,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX person_card ON person (card_code);

-- 人员编号 at the insurance (half its keyed code), and whose it is.
CREATE TABLE insured_number (
    psn BLOB PRIMARY KEY,
    person_id BIGINT NOT NULL,
    first_ms BIGINT NOT NULL
);

-- 授权 (ORG_EHC_001). state: ing, then one of succ, fail, cancel for ever.
CREATE TABLE ehc_authorisation (
    id BIGINT PRIMARY KEY,
    partner_id BIGINT NOT NULL,
    out_auth_no TEXT NOT NULL,
    token BLOB NOT NULL,
    state TEXT NOT NULL,
    person_id BIGINT,
    reason TEXT,
    tries BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    ended_ms BIGINT
);
CREATE UNIQUE INDEX ehc_authorisation_number ON ehc_authorisation (partner_id, out_auth_no);
CREATE UNIQUE INDEX ehc_authorisation_token ON ehc_authorisation (token);
CREATE INDEX ehc_authorisation_open ON ehc_authorisation (expires_ms) WHERE state = 'ing';
CREATE INDEX ehc_authorisation_ended ON ehc_authorisation (ended_ms) WHERE state <> 'ing';

-- 电子健康码 that were verified: each once. Kept until some time after they would have expired.
CREATE TABLE ehc_code_use (
    code_id BLOB PRIMARY KEY,
    person_id BIGINT NOT NULL,
    partner_id BIGINT NOT NULL,
    used_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL
);
CREATE INDEX ehc_code_use_expires ON ehc_code_use (expires_ms);

-- Claims that contradict what is registered, for people to decide. kind: name, number. A claim
-- that comes again is counted, not kept twice.
CREATE TABLE name_review (
    id BIGINT PRIMARY KEY,
    kind TEXT NOT NULL,
    person_id BIGINT NOT NULL,
    claim_code BLOB NOT NULL,
    claimed_sealed BLOB NOT NULL,
    source TEXT NOT NULL,
    state TEXT NOT NULL,
    first_ms BIGINT NOT NULL,
    last_ms BIGINT NOT NULL,
    times BIGINT NOT NULL,
    decided_by TEXT,
    decided_ms BIGINT
);
CREATE UNIQUE INDEX name_review_claim ON name_review (person_id, claim_code);
CREATE INDEX name_review_open ON name_review (id) WHERE state = 'open';
CREATE INDEX name_review_decided ON name_review (decided_ms) WHERE state <> 'open';

-- How far the import of a file has come; it commits with the persons that it brought.
-- `last_report` is what the last batch adds to the report behind its first `report_bytes`.
CREATE TABLE person_import (
    file_digest BLOB PRIMARY KEY,
    records_done BIGINT NOT NULL,
    counts TEXT NOT NULL,
    report_bytes BIGINT NOT NULL,
    last_report TEXT NOT NULL,
    started_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    done_ms BIGINT
);
