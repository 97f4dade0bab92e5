-- The look-up that everybody waits for asks for what is unpaid, and most records are not for long:
-- its index holds those alone, so that it stays small however many records were ever settled. What
-- ended stands in an index of its own, narrow, for the person's own page. Each record is in one of
-- the two.
DROP INDEX overdue_item_person;
CREATE INDEX overdue_item_unpaid ON overdue_item (person, real_name, partner_id, amount_fen,
    actual_ms, appealed, fee_type, item_name) WHERE state = 0;
CREATE INDEX overdue_item_ended ON overdue_item (person) WHERE state <> 0;
