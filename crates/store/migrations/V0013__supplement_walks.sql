-- Walks over the insurers' ledgers, and by which table of diagnoses an illness was derived.

-- How far a walk has come, so that whoever goes on with it begins there. `goal` is what it is walked
-- for: the code of a table of diagnoses, or nothing where the walk never ends. `added` and `ended`
-- count what it did.
CREATE TABLE supplement_walk (
    name TEXT PRIMARY KEY,
    goal TEXT NOT NULL,
    after_id BIGINT NOT NULL,
    walked BIGINT NOT NULL,
    added BIGINT NOT NULL,
    ended BIGINT NOT NULL,
    done BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL
);

-- Which version of the table led from a case to the category; empty where no case did, and for what
-- was derived before versions were kept.
ALTER TABLE past_illness ADD COLUMN map_version TEXT NOT NULL DEFAULT '';
ALTER TABLE past_illness_ended ADD COLUMN map_version TEXT NOT NULL DEFAULT '';

-- What ended long ago is found by when it did.
CREATE INDEX past_illness_ended_when ON past_illness_ended (ended_ms);
