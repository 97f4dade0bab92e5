-- The index by person holds all that ORG_MDL_002 answers with: the look-up that everybody waits
-- for reads one page of the index instead of one of the index and one of the table.
DROP INDEX overdue_item_person;
CREATE INDEX overdue_item_person ON overdue_item (person, state, real_name, partner_id, amount_fen,
    actual_ms, appealed, fee_type, item_name);
