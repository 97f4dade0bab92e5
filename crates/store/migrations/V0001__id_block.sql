-- Ids are made by the application, from blocks that a node takes here (see ids.rs).
CREATE TABLE id_block (
    name TEXT PRIMARY KEY,
    next BIGINT NOT NULL
);
INSERT INTO id_block (name, next) VALUES ('record', 100001);
