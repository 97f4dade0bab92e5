-- Work to be done later. Jobs of one kind stand in lanes (a hospital each); a node takes a lane
-- as a whole, so that a lane keeps its order and a slow hospital delays only itself.
-- state: 0 waiting, 1 done, 2 given up. `since_ms` is when its tries began: when it was left, or
-- when an operator had it done again.
CREATE TABLE job (
    id BIGINT PRIMARY KEY,
    kind BIGINT NOT NULL,
    lane BIGINT NOT NULL,
    subject BIGINT NOT NULL,
    state BIGINT NOT NULL,
    due_ms BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    since_ms BIGINT NOT NULL,
    ended_ms BIGINT,
    last_fault TEXT
);
CREATE INDEX job_waiting ON job (kind, lane, due_ms, id) WHERE state = 0;
CREATE INDEX job_done ON job (ended_ms) WHERE state = 1;
CREATE INDEX job_given_up ON job (kind, lane) WHERE state = 2;

-- Which node has which lane, until when; and how a lane is doing (the breaker).
CREATE TABLE lane_lease (
    kind BIGINT NOT NULL,
    lane BIGINT NOT NULL,
    holder BIGINT NOT NULL,
    held_until_ms BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    paused_until_ms BIGINT NOT NULL,
    PRIMARY KEY (kind, lane)
);

-- Work that happens by the clock, once for the whole province however many nodes there are.
CREATE TABLE schedule (
    name TEXT PRIMARY KEY,
    next_ms BIGINT NOT NULL,
    holder BIGINT NOT NULL,
    held_until_ms BIGINT NOT NULL
);
