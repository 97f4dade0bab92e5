-- Every exchanged message: who asked whom for what, and how it ended. No bodies; `digest` is the
-- SM3 of the business message, so that a dispute about its content can be settled.
-- direction: 0 received, 1 sent. `block` is the link of the chain that seals the entry.
CREATE TABLE journal (
    id BIGINT PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    partner_id BIGINT NOT NULL,
    interface TEXT NOT NULL,
    direction BIGINT NOT NULL,
    result TEXT NOT NULL,
    person BLOB,
    purpose TEXT,
    subject TEXT,
    digest BLOB,
    block BIGINT
);
CREATE INDEX journal_unsealed ON journal (id) WHERE block IS NULL;
CREATE INDEX journal_block_entries ON journal (block) WHERE block IS NOT NULL;
CREATE INDEX journal_person ON journal (person, at_ms) WHERE person IS NOT NULL;

-- What operators did.
CREATE TABLE operator_audit (
    id BIGINT PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    detail TEXT NOT NULL,
    block BIGINT
);
CREATE INDEX operator_audit_unsealed ON operator_audit (id) WHERE block IS NULL;
CREATE INDEX operator_audit_block_entries ON operator_audit (block) WHERE block IS NOT NULL;

-- The links of both chains: digest = keyed SM3-HMAC over the previous digest and the entries.
CREATE TABLE chain_block (
    chain TEXT NOT NULL,
    number BIGINT NOT NULL,
    sealed_ms BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    digest BLOB NOT NULL,
    pruned_ms BIGINT,
    PRIMARY KEY (chain, number)
);
CREATE INDEX chain_block_unpruned ON chain_block (chain, number) WHERE pruned_ms IS NULL;
