"""Where this database lives, so that a restored or copied one notices that it is elsewhere (`campaigns.arming`).

No model: a flush leaves the memory alone, and a table without a key takes a second row from a restore of data only.
"""

from django.db import migrations

# Whoever may not call one of these (some hosted services) gets an empty sign, not an error.
FORWARD = """
CREATE TABLE campaigns_arming (
    cluster bigint, timeline bigint, database bigint, home bigint,
    born xid NOT NULL DEFAULT pg_current_xact_id()::xid,  -- differs from xmin in a row that a restore has written
    armed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    holding_since timestamptz
);
CREATE FUNCTION campaigns_place(OUT cluster bigint, OUT timeline bigint, OUT database bigint, OUT home bigint)
LANGUAGE plpgsql AS $$
BEGIN
    SELECT d.oid INTO database FROM pg_database d WHERE d.datname = current_database();
    home := 'campaigns_arming'::regclass::oid;
    BEGIN
        SELECT s.system_identifier INTO cluster FROM pg_control_system() s;
    EXCEPTION WHEN insufficient_privilege OR undefined_function OR feature_not_supported THEN
        cluster := NULL;
    END;
    BEGIN
        -- Not pg_control_checkpoint(): for minutes after a promotion it still tells the old timeline.
        timeline := ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint;
    EXCEPTION WHEN insufficient_privilege OR undefined_function OR feature_not_supported
                OR object_not_in_prerequisite_state THEN
        timeline := NULL;
    END;
END $$;
-- Where nothing was ever launched, nothing was ever sent. Anything else may be a backup older than this migration.
INSERT INTO campaigns_arming (cluster, timeline, database, home)
SELECT * FROM campaigns_place() WHERE NOT EXISTS (SELECT FROM campaigns_campaign WHERE status <> 'draft');
"""
BACKWARD = "DROP FUNCTION campaigns_place(); DROP TABLE campaigns_arming;"


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0004_whatsappid")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
