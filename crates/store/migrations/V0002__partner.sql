-- Whoever calls the platform or is called by it.
CREATE TABLE partner (
    id BIGINT PRIMARY KEY,
    app_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    org_id TEXT UNIQUE,
    name TEXT NOT NULL,
    base_url TEXT,
    hosts TEXT NOT NULL,
    grants TEXT NOT NULL,
    rate_per_second BIGINT NOT NULL,
    plain_replies BIGINT NOT NULL,
    dialect BIGINT NOT NULL,
    active BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL
);

-- Two secrets of a partner may live at once while it changes over.
CREATE TABLE partner_secret (
    id BIGINT PRIMARY KEY,
    partner_id BIGINT NOT NULL REFERENCES partner (id),
    sealed BLOB NOT NULL,
    created_ms BIGINT NOT NULL,
    ends_ms BIGINT
);
CREATE INDEX partner_secret_partner ON partner_secret (partner_id);

-- Raised with every change, so that each node sees cheaply that it must read the partners anew.
CREATE TABLE partner_revision (
    id BIGINT PRIMARY KEY,
    revision BIGINT NOT NULL
);
INSERT INTO partner_revision (id, revision) VALUES (1, 1);
