-- 批次: what a hospital sent in one call of ORG_MDL_001 (kind 0) or ORG_MDL_003 (kind 1).
-- `content` is the sealed business message, kept until the batch is judged.
CREATE TABLE overdue_batch (
    id BIGINT PRIMARY KEY,
    partner_id BIGINT NOT NULL,
    org_request_id TEXT NOT NULL,
    kind BIGINT NOT NULL,
    content_code BLOB NOT NULL,
    notify_url TEXT NOT NULL,
    state BIGINT NOT NULL,
    content BLOB,
    outcome TEXT,
    received_ms BIGINT NOT NULL,
    judged_ms BIGINT
);
CREATE UNIQUE INDEX overdue_batch_request ON overdue_batch (partner_id, org_request_id);
CREATE INDEX overdue_batch_received ON overdue_batch (received_ms);

-- 医疗欠费记录. `person` is the keyed code of (idType, idNo), `person_sealed` who it is.
CREATE TABLE overdue_item (
    id BIGINT PRIMARY KEY,
    partner_id BIGINT NOT NULL,
    org_trace_id TEXT NOT NULL,
    person BLOB,
    person_sealed BLOB,
    real_name BIGINT NOT NULL,
    user_type TEXT NOT NULL,
    med_type TEXT NOT NULL,
    fee_type TEXT NOT NULL,
    item_name TEXT NOT NULL,
    amount_fen BIGINT NOT NULL,
    actual_ms BIGINT NOT NULL,
    state BIGINT NOT NULL,
    batch_id BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    checked_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX overdue_item_org ON overdue_item (partner_id, org_trace_id);
CREATE INDEX overdue_item_person ON overdue_item (person, state);
CREATE INDEX overdue_item_unchecked ON overdue_item (partner_id, checked_ms) WHERE state = 0;

-- What happened to a record after its first report.
CREATE TABLE overdue_change (
    id BIGINT PRIMARY KEY,
    item_id BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    from_state BIGINT NOT NULL,
    to_state BIGINT NOT NULL,
    cause TEXT NOT NULL,
    batch_id BIGINT
);
CREATE INDEX overdue_change_item ON overdue_change (item_id, id);

-- 应用入口链接 (ORG_MDL_004), opened once; and the session that it opens.
CREATE TABLE entry_link (
    token BLOB PRIMARY KEY,
    partner_id BIGINT NOT NULL,
    person BLOB NOT NULL,
    person_sealed BLOB NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    used_ms BIGINT
);
CREATE INDEX entry_link_expires ON entry_link (expires_ms);
CREATE TABLE citizen_session (
    token BLOB PRIMARY KEY,
    partner_id BIGINT NOT NULL,
    person BLOB NOT NULL,
    person_sealed BLOB NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL
);
CREATE INDEX citizen_session_expires ON citizen_session (expires_ms);
