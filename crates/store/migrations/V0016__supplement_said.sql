-- When the insurer said what stands in a record, by the signed time of its message: what was said
-- earlier and comes later does not undo it. 0 in records of before this was kept.
ALTER TABLE supplement_claim ADD COLUMN said_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE supplement_payment ADD COLUMN said_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE supplement_case ADD COLUMN said_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE supplement_medicine_box ADD COLUMN said_ms BIGINT NOT NULL DEFAULT 0;
