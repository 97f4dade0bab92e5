-- Whether the key fits; see banyan-store's vault.
CREATE TABLE vault_check (
    id BIGINT PRIMARY KEY,
    sealed BLOB NOT NULL
);

-- What is counted: names of batches and messages, places in the feeds.
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);

-- 受理批次: what one call or one file of the HIS brought.
CREATE TABLE batch (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    item_count BIGINT NOT NULL
);
CREATE UNIQUE INDEX batch_name ON batch (name);
CREATE INDEX batch_created ON batch (created_ms);

-- 院内账: one debt, as the HIS last said it. `content` is the row of the HIS, sealed; its code
-- tells a repetition from a correction, whatever the edge filled in. `claim` is the same row with the
-- name that an anonymous debt is to get, until the platform has taken it. stage: 0 to be reported, 1 in a report on its way, 2 kept
-- by the platform, 3 refused, 4 withdrawn before it was reported, 5 kept, with an update on its way.
-- Whoever changes a debt raises `version`; `sent_version` is what the last message carried.
CREATE TABLE item (
    id BIGINT PRIMARY KEY,
    org_trace_id TEXT NOT NULL,
    batch_id BIGINT NOT NULL,
    content BLOB NOT NULL,
    content_code BLOB NOT NULL,
    person_code BLOB,
    claim BLOB,
    claim_person BLOB,
    stage BIGINT NOT NULL,
    his_state TEXT NOT NULL,
    version BIGINT NOT NULL,
    sent_version BIGINT NOT NULL,
    due_ms BIGINT NOT NULL,
    message_id BIGINT,
    trace_id TEXT,
    platform_state TEXT,
    fault TEXT,
    outcome_seq BIGINT,
    changed_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX item_trace ON item (org_trace_id);
CREATE INDEX item_batch ON item (batch_id);
CREATE INDEX item_message ON item (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX item_waiting ON item (due_ms, id) WHERE stage = 0;
CREATE INDEX item_changed ON item (person_code, id) WHERE stage = 2 AND version > sent_version;
CREATE INDEX item_refused ON item (changed_ms) WHERE fault IS NOT NULL;
CREATE INDEX item_settled ON item (changed_ms) WHERE his_state <> '0';
CREATE INDEX item_outcome ON item (outcome_seq) WHERE outcome_seq IS NOT NULL;

-- 报文: what goes to the platform under one 请求批次号, byte for byte the same however often it is
-- sent. kind: 1 report, 2 update. state: 0 to be sent, 1 accepted, outcome awaited,
-- 2 ended, 3 refused.
CREATE TABLE message (
    id BIGINT PRIMARY KEY,
    kind BIGINT NOT NULL,
    name TEXT NOT NULL,
    content BLOB NOT NULL,
    item_count BIGINT NOT NULL,
    state BIGINT NOT NULL,
    due_ms BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    renamed BIGINT NOT NULL,
    fault TEXT,
    created_ms BIGINT NOT NULL,
    accepted_ms BIGINT,
    ended_ms BIGINT
);
CREATE UNIQUE INDEX message_name ON message (name);
CREATE INDEX message_open ON message (state, due_ms) WHERE state < 2;
CREATE INDEX message_ended ON message (ended_ms) WHERE state >= 2;

-- 留存的电子健康卡主索引 (access guide 3.2.5.2).
CREATE TABLE card (
    person_code BLOB PRIMARY KEY,
    sealed BLOB NOT NULL
);

-- 收到的通知 (ORG_002), each once.
CREATE TABLE notice (
    seq BIGINT PRIMARY KEY,
    notify_id TEXT NOT NULL,
    notify_type TEXT NOT NULL,
    content BLOB NOT NULL,
    received_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX notice_id ON notice (notify_id);
CREATE INDEX notice_received ON notice (received_ms);

-- What this outbox said of itself in each period, so that it can say the same again; place is 1
-- where it was the first to say so, 2 where another edge of the same hospital had.
CREATE TABLE presence (
    period BIGINT PRIMARY KEY,
    token TEXT NOT NULL,
    place BIGINT
);
