-- A known text under the master key, so that a start with another key is refused at once.
CREATE TABLE vault_check (
    id BIGINT PRIMARY KEY,
    sealed BLOB NOT NULL
);
