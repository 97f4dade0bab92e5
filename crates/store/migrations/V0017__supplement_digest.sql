-- Whether the same content came again is seen by opening what is kept, and only where a key was there
-- before, which is rare: a code of every content cost more than all that it spared.
ALTER TABLE supplement_claim DROP COLUMN digest;
ALTER TABLE supplement_payment DROP COLUMN digest;
ALTER TABLE supplement_case DROP COLUMN digest;
ALTER TABLE supplement_medicine_box DROP COLUMN digest;
