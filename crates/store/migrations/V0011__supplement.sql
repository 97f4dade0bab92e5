-- 商业补充医疗保险: what insurers' channels send, and what they may ask.

-- How a channel speaks: its level (1 to 4), its algorithms, the services it may name, and whether
-- it is held to the document (strict) or what is off is only noted. `keys_sealed` holds RSA keys
-- and certificates.
CREATE TABLE insurer_channel (
    partner_id BIGINT PRIMARY KEY,
    level BIGINT NOT NULL,
    enc_type TEXT NOT NULL,
    sign_type TEXT NOT NULL,
    service_ids TEXT NOT NULL,
    strict BIGINT NOT NULL,
    keys_sealed BLOB,
    changed_ms BIGINT NOT NULL
);

-- 授权码 and the tokens that they give; both are kept as keyed codes.
CREATE TABLE channel_code (
    code BLOB PRIMARY KEY,
    partner_id BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    used_ms BIGINT
);
CREATE INDEX channel_code_expires ON channel_code (expires_ms);
CREATE TABLE channel_token (
    token BLOB PRIMARY KEY,
    partner_id BIGINT NOT NULL,
    code BLOB NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    ended_ms BIGINT
);
CREATE INDEX channel_token_partner ON channel_token (partner_id) WHERE ended_ms IS NULL;
CREATE INDEX channel_token_expires ON channel_token (expires_ms);

-- The ledgers. `person` is half the person's keyed code, `sealed` everything as it was sent,
-- `digest` its keyed code, by which the same content is known again. Amounts are fen, and missing
-- where what was sent is no amount.

-- 理赔信息 (CI00.03.00.03)
CREATE TABLE supplement_claim (
    id BIGINT PRIMARY KEY,
    partner_id BIGINT NOT NULL,
    service_id TEXT NOT NULL,
    case_no TEXT NOT NULL,
    person BLOB NOT NULL,
    year TEXT NOT NULL,
    claim_fen BIGINT,
    invoice_fen BIGINT,
    left_one_fen BIGINT,
    left_two_fen BIGINT,
    left_four_fen BIGINT,
    digest BLOB NOT NULL,
    sealed BLOB NOT NULL,
    version BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX supplement_claim_key ON supplement_claim (partner_id, service_id, case_no);
CREATE INDEX supplement_claim_person ON supplement_claim (person, service_id, year);

-- 现金支付人员信息 (CI00.02.00.07)
CREATE TABLE supplement_payment (
    id BIGINT PRIMARY KEY,
    partner_id BIGINT NOT NULL,
    hi_pay_no TEXT NOT NULL,
    person BLOB NOT NULL,
    service_id TEXT NOT NULL,
    year TEXT NOT NULL,
    amount_fen BIGINT,
    digest BLOB NOT NULL,
    sealed BLOB NOT NULL,
    version BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX supplement_payment_key ON supplement_payment (partner_id, hi_pay_no);

-- 历史案件 (XY00.00.00.03, hmbExtInfo)
CREATE TABLE supplement_case (
    id BIGINT PRIMARY KEY,
    partner_id BIGINT NOT NULL,
    service_id TEXT NOT NULL,
    case_no TEXT NOT NULL,
    invoice_num TEXT NOT NULL,
    person BLOB NOT NULL,
    year TEXT NOT NULL,
    invoice_fen BIGINT,
    paid_fen BIGINT,
    digest BLOB NOT NULL,
    sealed BLOB NOT NULL,
    version BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX supplement_case_key
    ON supplement_case (partner_id, service_id, case_no, invoice_num);

-- 小药箱 (XY00.00.00.03, hmbYyxInfo). state: 1 有效, 2 退款, 0 where something else was sent.
CREATE TABLE supplement_medicine_box (
    id BIGINT PRIMARY KEY,
    partner_id BIGINT NOT NULL,
    service_id TEXT NOT NULL,
    person BLOB NOT NULL,
    state BIGINT NOT NULL,
    digest BLOB NOT NULL,
    sealed BLOB NOT NULL,
    version BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX supplement_medicine_box_key
    ON supplement_medicine_box (partner_id, service_id, person);

-- What a record of any ledger said before it said something else; ids are one sequence, so one
-- table serves all four. `at_ms` is when that version came.
CREATE TABLE supplement_past (
    record_id BIGINT NOT NULL,
    version BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (record_id, version)
);

-- 既往症: one row for each source that says so. `person` as above; `service_id` is empty where every
-- service may know; `name` is a keyed code of the name that came with it, 0 where none did;
-- `case_id` is 0 for an operator's import. The look-up that insurers wait for reads the key alone.
CREATE TABLE past_illness (
    person BLOB NOT NULL,
    service_id TEXT NOT NULL,
    category TEXT NOT NULL,
    name BIGINT NOT NULL,
    case_id BIGINT NOT NULL,
    by_whom TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (person, service_id, category, name, case_id)
);

-- Those that no longer count, and why.
CREATE TABLE past_illness_ended (
    person BLOB NOT NULL,
    service_id TEXT NOT NULL,
    category TEXT NOT NULL,
    name BIGINT NOT NULL,
    case_id BIGINT NOT NULL,
    by_whom TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    ended_ms BIGINT NOT NULL,
    ended_by TEXT NOT NULL
);
CREATE INDEX past_illness_ended_person ON past_illness_ended (person);

-- What an operator found to be wrong: no case brings it back.
CREATE TABLE past_illness_denied (
    person BLOB NOT NULL,
    category TEXT NOT NULL,
    service_id TEXT NOT NULL,
    by_whom TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (person, category, service_id)
);
