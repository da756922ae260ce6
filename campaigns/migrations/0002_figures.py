"""The figures' trigger, the append-only journal of events, and room on pages for cheap status updates."""

from django.db import migrations

KEY = """campaign_id, message_type, status, COALESCE(NULLIF(error_code, ''), reason) AS cause,
    replied_at IS NOT NULL AS replied, opted_out_at IS NOT NULL AS opted_out"""

# One INSERT for a whole statement, whatever made it: no row is hot, and the figures equal the rows.
FORWARD = f"""
CREATE FUNCTION campaigns_tally() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO campaigns_tallydelta (campaign_id, message_type, status, cause, replied, opted_out, n)
        SELECT campaign_id, message_type, status, cause, replied, opted_out, count(*)
          FROM (SELECT {KEY} FROM new_rows) AS k GROUP BY 1, 2, 3, 4, 5, 6;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO campaigns_tallydelta (campaign_id, message_type, status, cause, replied, opted_out, n)
        SELECT campaign_id, message_type, status, cause, replied, opted_out, -count(*)
          FROM (SELECT {KEY} FROM old_rows) AS k GROUP BY 1, 2, 3, 4, 5, 6;
    ELSE
        INSERT INTO campaigns_tallydelta (campaign_id, message_type, status, cause, replied, opted_out, n)
        SELECT campaign_id, message_type, status, cause, replied, opted_out, sum(n)
          FROM (SELECT {KEY}, 1 AS n FROM new_rows UNION ALL SELECT {KEY}, -1 AS n FROM old_rows) AS k
         GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(n) <> 0;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION campaigns_tally_none() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM campaigns_tally;
    DELETE FROM campaigns_tallydelta;
    RETURN NULL;
END $$;
CREATE TRIGGER tally_insert AFTER INSERT ON campaigns_message
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION campaigns_tally();
CREATE TRIGGER tally_update AFTER UPDATE ON campaigns_message
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION campaigns_tally();
CREATE TRIGGER tally_delete AFTER DELETE ON campaigns_message
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION campaigns_tally();
CREATE TRIGGER tally_truncate AFTER TRUNCATE ON campaigns_message
    FOR EACH STATEMENT EXECUTE FUNCTION campaigns_tally_none();

CREATE FUNCTION campaigns_event_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are only added';
END $$;
CREATE TRIGGER event_is_final BEFORE UPDATE OF verb, campaign_id, message_id, sender_id, details, at ON campaigns_event
    FOR EACH ROW EXECUTE FUNCTION campaigns_event_is_final();

ALTER TABLE campaigns_message SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE campaigns_attempt SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE campaigns_tallydelta SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE gupshup_sender SET (fillfactor = 10);
ALTER TABLE gupshup_callback SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
"""

BACKWARD = """
DROP TRIGGER tally_insert ON campaigns_message; DROP TRIGGER tally_update ON campaigns_message;
DROP TRIGGER tally_delete ON campaigns_message; DROP TRIGGER tally_truncate ON campaigns_message;
DROP TRIGGER event_is_final ON campaigns_event;
DROP FUNCTION campaigns_tally(); DROP FUNCTION campaigns_tally_none(); DROP FUNCTION campaigns_event_is_final();
"""


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0001_initial"), ("gupshup", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
