-- 医保电子凭证: who holds one. `insu_org` is the place of insurance, `password_sealed` the digest of
-- the password (never the password), `wrong_tries` counts since the last right one, and until
-- `locked_until_ms` none is taken.
CREATE TABLE credential (
    person_id BIGINT PRIMARY KEY,
    insu_org TEXT NOT NULL,
    password_sealed BLOB,
    wrong_tries BIGINT NOT NULL,
    locked_until_ms BIGINT,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL
);

-- 业务流水号 that an institution has used, so that it is used once.
CREATE TABLE credential_biz_no (
    partner_id BIGINT NOT NULL,
    out_biz_no TEXT NOT NULL,
    used_ms BIGINT NOT NULL,
    PRIMARY KEY (partner_id, out_biz_no)
);
CREATE INDEX credential_biz_no_used ON credential_biz_no (used_ms);

-- 实人认证: at this terminal, for this institution, somebody's face was recognised. `auth_no` is the
-- keyed code of the number that the terminal was told.
CREATE TABLE credential_face (
    auth_no BLOB PRIMARY KEY,
    person_id BIGINT NOT NULL,
    partner_id BIGINT NOT NULL,
    terminal_id BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    used_ms BIGINT
);
CREATE INDEX credential_face_expires ON credential_face (expires_ms);

-- 密码核验: an institution waits until somebody has entered his password. From `open` a request moves
-- once: to `right`, `wrong`, `locked`, `declined`, or `over`.
CREATE TABLE credential_password_request (
    id BIGINT PRIMARY KEY,
    person_id BIGINT NOT NULL,
    partner_id BIGINT NOT NULL,
    business_type TEXT NOT NULL,
    office TEXT NOT NULL,
    state TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL
);
CREATE INDEX credential_password_request_open
    ON credential_password_request (person_id) WHERE state = 'open';
CREATE INDEX credential_password_request_expires ON credential_password_request (expires_ms);

-- 医保定点机构代码 under which a hospital calls the centre, besides its 机构 id.
ALTER TABLE partner ADD COLUMN institutions TEXT NOT NULL DEFAULT '';
