/* weft_log_sql: see weft_log_sql.h.
 * chain is a 64-bit pattern kept as a signed integer. */
#include "weft_log_sql.h"

const char weft_sql_create[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE types(id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL);"
    "CREATE TABLE events(position INTEGER PRIMARY KEY, type INTEGER NOT NULL,"
    " stored_us INTEGER NOT NULL, chain INTEGER NOT NULL, event BLOB NOT NULL);"
    "CREATE TABLE origins(origin BLOB PRIMARY KEY, source TEXT NOT NULL, last INTEGER NOT NULL,"
    " position INTEGER NOT NULL, chain INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO meta(key, value) VALUES('schema', 1), ('anchor_position', 0), ('anchor_chain', 0);"
    "PRAGMA application_id=0x77656674;"
    "PRAGMA user_version=1;";

const char weft_sql_create_sums[] = "ALTER TABLE origins ADD COLUMN sum INTEGER;"
                                    "INSERT OR REPLACE INTO meta(key, value) VALUES('schema', 2);"
                                    "PRAGMA user_version=2;";

const char weft_sql_schema[] =
    "SELECT (SELECT application_id FROM pragma_application_id),"
    " (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)";

const char weft_sql_meta_insert[] = "INSERT INTO meta(key, value) VALUES(?1, ?2)";
const char weft_sql_meta_all[] = "SELECT (SELECT value FROM meta WHERE key = 'anchor_position'),"
                                 " (SELECT value FROM meta WHERE key = 'anchor_chain'),"
                                 " (SELECT value FROM meta WHERE key = 'anchor_stored_us'),"
                                 " (SELECT value FROM meta WHERE key = 'log'),"
                                 " (SELECT value FROM meta WHERE key = 'origins'),"
                                 " (SELECT value FROM meta WHERE key = 'sum'),"
                                 " (SELECT user_version FROM pragma_user_version)";

/* Counts, since SQLite does not write a page that stays the same. */
const char weft_sql_touch[] = "INSERT INTO meta(key, value) VALUES('retries', 1)"
                              " ON CONFLICT(key) DO UPDATE SET value = value + 1";

const char weft_sql_types_after[] = "SELECT id, name FROM types WHERE id > ?1 ORDER BY id";
const char weft_sql_type_insert[] = "INSERT INTO types(id, name) VALUES(?1, ?2)";

/* All columns there are: an old store has no sum. */
const char weft_sql_origin[] = "SELECT * FROM origins WHERE origin = ?1";
const char weft_sql_origins[] = "SELECT * FROM origins";
const char weft_sql_origins_count[] =
    "INSERT OR REPLACE INTO meta(key, value) VALUES('origins', (SELECT count(*) FROM origins))";
const char weft_sql_origin_put[] =
    "INSERT INTO origins(origin, source, last, position, chain, sum)"
    " VALUES(?1, ?2, ?3, ?4, ?5, ?6)"
    " ON CONFLICT(origin) DO UPDATE SET source = excluded.source, last = excluded.last,"
    " position = excluded.position, chain = excluded.chain, sum = excluded.sum";
const char weft_sql_origin_trust[] = "UPDATE origins SET sum = ?2 WHERE origin = ?1";

#define INSERT "INSERT INTO events(position, type, stored_us, chain, event) VALUES"
#define ROW_1 "(?,?,?,?,?)"
#define ROW_4 ROW_1 "," ROW_1 "," ROW_1 "," ROW_1
#define ROW_16 ROW_4 "," ROW_4 "," ROW_4 "," ROW_4
const char weft_sql_event_insert[] = INSERT ROW_1;
const char weft_sql_event_insert_many[] = INSERT ROW_16 "," ROW_16;

const char weft_sql_events_forget[] = "DELETE FROM events WHERE position <= ?1";
const char weft_sql_meta_put[] = "INSERT OR REPLACE INTO meta(key, value) VALUES(?1, ?2)";

const char weft_sql_create_readers[] =
    "CREATE TABLE IF NOT EXISTS readers(instance BLOB PRIMARY KEY, name TEXT NOT NULL,"
    " resume INTEGER NOT NULL, seen_us INTEGER NOT NULL) WITHOUT ROWID;";
const char weft_sql_readers[] =
    "SELECT instance, name, resume, seen_us FROM readers ORDER BY seen_us DESC LIMIT ?1";
const char weft_sql_reader_put[] =
    "INSERT OR REPLACE INTO readers(instance, name, resume, seen_us) VALUES(?1, ?2, ?3, ?4)";
const char weft_sql_readers_forget[] =
    "DELETE FROM readers WHERE instance NOT IN"
    " (SELECT instance FROM readers ORDER BY seen_us DESC LIMIT ?1)";

const char weft_sql_create_postings[] =
    "CREATE TABLE IF NOT EXISTS postings(block INTEGER PRIMARY KEY, types BLOB NOT NULL);";
const char weft_sql_has_postings[] =
    "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'postings'";
const char weft_sql_postings[] = "SELECT types FROM postings WHERE block = ?1";
const char weft_sql_postings_from[] =
    "SELECT block, types FROM postings WHERE block >= ?1 ORDER BY block LIMIT 1";
const char weft_sql_postings_put[] = "INSERT OR REPLACE INTO postings(block, types) VALUES(?1, ?2)";
const char weft_sql_postings_forget[] = "DELETE FROM postings WHERE block < ?1";

const char weft_sql_create_rare[] =
    "CREATE TABLE IF NOT EXISTS rare(position INTEGER PRIMARY KEY, type INTEGER NOT NULL,"
    " stored_us INTEGER NOT NULL, chain INTEGER NOT NULL, event BLOB NOT NULL,"
    " before INTEGER NOT NULL);";
const char weft_sql_has_rare[] =
    "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'rare'";
const char weft_sql_rare[] =
    "SELECT position, type, chain, stored_us, event, before FROM rare WHERE position = ?1";
const char weft_sql_rare_put[] =
    "INSERT OR REPLACE INTO rare(position, type, stored_us, chain, event, before)"
    " SELECT e.position, e.type, e.stored_us, e.chain, e.event, b.chain"
    " FROM events AS e JOIN events AS b ON b.position = e.position - 1"
    " WHERE e.position = ?1 AND length(e.event) <= ?2";
const char weft_sql_rare_forget[] = "DELETE FROM rare WHERE position <= ?1";
const char weft_sql_rare_compare[] =
    "SELECT r.position, typeof(r.event) = 'blob' AND r.type IS e.type"
    " AND r.stored_us IS e.stored_us AND r.chain IS e.chain AND r.event IS e.event"
    " AND (b.chain IS NULL OR r.before IS b.chain)"
    " FROM rare AS r LEFT JOIN events AS e ON e.position = r.position"
    " LEFT JOIN events AS b ON b.position = r.position - 1"
    " WHERE r.position > ?1 AND r.position >"
    " (SELECT value FROM meta WHERE key = 'anchor_position') ORDER BY r.position LIMIT ?2";

const char weft_sql_types_between[] = "SELECT position, type FROM events"
                                      " WHERE position > ?1 AND position <= ?2 ORDER BY position";
const char weft_sql_types_from[] =
    "SELECT position, type FROM events WHERE position > ?1 ORDER BY position";

const char weft_sql_used[] = "SELECT ((SELECT page_count FROM pragma_page_count)"
                             " - (SELECT freelist_count FROM pragma_freelist_count))"
                             " * (SELECT page_size FROM pragma_page_size)";
const char weft_sql_look[] = "SELECT stored_us, length(event) FROM events WHERE position = ?1";

const char weft_sql_head[] =
    "SELECT position, stored_us, chain FROM events ORDER BY position DESC LIMIT 1";
const char weft_sql_row[] =
    "SELECT position, type, chain, stored_us, event FROM events WHERE position = ?1";
const char weft_sql_chain[] = "SELECT chain FROM events WHERE position = ?1";
const char weft_sql_rows_after[] = "SELECT position, type, chain, stored_us, event"
                                   " FROM events WHERE position > ?1 ORDER BY position LIMIT ?2";

const char weft_sql_copy_rows[] =
    "INSERT INTO main.events SELECT position, type, stored_us, chain, event FROM source.events"
    " WHERE position > ?1 AND position <= ?3 ORDER BY position LIMIT ?2";
const char weft_sql_copy_top[] = "SELECT max(position) FROM main.events";
const char weft_sql_copy_wanted[] = "SELECT max(position) FROM source.events";
const char weft_sql_copy_rest[] = "INSERT INTO main.meta SELECT key, value FROM source.meta;"
                                  "INSERT INTO main.types SELECT id, name FROM source.types;"
                                  "INSERT INTO main.origins SELECT * FROM source.origins;"
                                  "DELETE FROM main.events WHERE position <="
                                  " (SELECT value FROM main.meta WHERE key = 'anchor_position');";
const char weft_sql_copy_has_readers[] =
    "SELECT count(*) FROM source.sqlite_schema WHERE name = 'readers'";
const char weft_sql_copy_readers[] = "INSERT INTO main.readers"
                                     " SELECT instance, name, resume, seen_us FROM source.readers";
const char weft_sql_copy_anchor[] = "SELECT value FROM main.meta WHERE key = 'anchor_position'";
const char weft_sql_types_unused[] =
    "DELETE FROM types WHERE id > (SELECT coalesce(max(type), 0) FROM events)";
const char weft_sql_origins_forget[] = "DELETE FROM origins WHERE position > ?1";
const char weft_sql_origin_add[] =
    "INSERT OR IGNORE INTO origins(origin, source, last, position, chain, sum)"
    " VALUES(?1, ?2, ?3, ?4, ?5, ?6)";
