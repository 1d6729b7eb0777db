"""What is said to PostgreSQL about all of a schema: that its tables tell of changes, and that it be emptied."""

__all__ = ["CHANNEL", "EMPTY", "TELL", "TELL_OF_EVERY_TABLE"]

CHANNEL = "protomesh_changes"

# Whoever changes a table, by whatever program: the server tells who listens, once a transaction, when it is kept.
TELL = f"""
CREATE OR REPLACE FUNCTION protomesh_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('{CHANNEL}', '');
  RETURN NULL;
END $$
"""
TELL_OF_EVERY_TABLE = """
DO $$
DECLARE name text;
BEGIN
  FOR name IN
    SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND NOT EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'protomesh_changed')
  LOOP
    EXECUTE format(
      'CREATE TRIGGER protomesh_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %I '
      'FOR EACH STATEMENT EXECUTE FUNCTION protomesh_changed()', name);
  END LOOP;
END $$
"""

# What migrations can have made; what belongs to an extension stays.
EMPTY = """
DO $$
DECLARE statement text;
BEGIN
  FOR statement IN
    SELECT format('DROP %s IF EXISTS %I CASCADE', kind, name) FROM (
      SELECT c.oid, 'pg_class'::regclass AS catalog, c.relname AS name,
        CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END
          AS kind
      FROM pg_class c
      WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
      UNION ALL
      SELECT t.oid, 'pg_type'::regclass, t.typname, CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END
      FROM pg_type t WHERE t.typnamespace = current_schema()::regnamespace AND t.typtype IN ('e', 'd', 'r')
      UNION ALL
      SELECT p.oid, 'pg_proc'::regclass, p.proname, 'ROUTINE'
      FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace
    ) found
    WHERE NOT EXISTS (
      SELECT 1 FROM pg_depend d WHERE d.classid = found.catalog AND d.objid = found.oid AND d.deptype IN ('e', 'i')
    )
    ORDER BY kind = 'SEQUENCE'
  LOOP
    EXECUTE statement;
  END LOOP;
END $$
"""
