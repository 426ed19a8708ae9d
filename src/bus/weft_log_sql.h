/* weft_log_sql: every SQL text of the store, in one place. */
#ifndef WEFT_LOG_SQL_H
#define WEFT_LOG_SQL_H

#define WEFT_LOG_SCHEMA 2
#define WEFT_LOG_SCHEMA_TRUSTED 2 /* from this one on origins and meta have checksums */
#define WEFT_LOG_PAGE_BYTES 16384u
#define WEFT_LOG_APPLICATION_ID 0x77656674 /* "weft" */
#define WEFT_LOG_INSERT_ROWS 32u           /* rows in one statement; more gain nothing (measured) */
#define WEFT_LOG_INSERT_COLUMNS 5

extern const char weft_sql_create[];      /* the whole schema, version 1 */
extern const char weft_sql_create_sums[]; /* the step to version 2 */
extern const char weft_sql_schema[];      /* application_id, user_version, tables */
extern const char weft_sql_meta_insert[]; /* key, value */
extern const char weft_sql_meta_all[];    /* → what weft_log_read_meta takes */
extern const char weft_sql_touch[];       /* a small write that nobody reads */
extern const char weft_sql_types_after[]; /* id → id, name */
extern const char weft_sql_type_insert[]; /* id, name */
extern const char weft_sql_origin[];      /* origin → as origins */
extern const char
    weft_sql_origins[]; /* → origin, source, last, position, chain, sum if there is one */
extern const char weft_sql_origins_count[];     /* note how many there are */
extern const char weft_sql_origin_put[];        /* origin, source, last, position, chain, sum */
extern const char weft_sql_origin_trust[];      /* origin, sum */
extern const char weft_sql_event_insert[];      /* position, type, stored_us, chain, event */
extern const char weft_sql_event_insert_many[]; /* the same for WEFT_LOG_INSERT_ROWS rows */
extern const char weft_sql_events_forget[];     /* position: all up to it */
extern const char weft_sql_meta_put[];          /* key, value */
extern const char weft_sql_create_readers[];    /* once, also in an old store */
extern const char weft_sql_readers[];           /* limit → instance, name, resume, seen_us */
extern const char weft_sql_reader_put[];        /* instance, name, resume, seen_us */
extern const char weft_sql_readers_forget[];    /* limit: all but the last ones seen */
extern const char weft_sql_create_postings[];   /* once, also in an old store */
extern const char weft_sql_has_postings[];      /* → a row if the table is there */
extern const char weft_sql_postings[];          /* block → blob, see weft_postings.h */
extern const char weft_sql_postings_from[];     /* block → block, blob: the first from there on */
extern const char weft_sql_postings_put[];      /* block, blob */
extern const char weft_sql_postings_forget[];   /* block: all below it */
extern const char weft_sql_create_rare[];       /* once, also in an old store */
extern const char weft_sql_has_rare[];          /* → a row if the table is there */
extern const char weft_sql_rare[];              /* position → as rows_after, chain before it */
extern const char weft_sql_rare_put[]; /* position, most bytes: copy that row if it is as small */
extern const char weft_sql_rare_forget[];   /* position: all up to it */
extern const char weft_sql_rare_compare[];  /* after, limit → position, is it as in the log? */
extern const char weft_sql_types_between[]; /* position, last position → as types_from */
extern const char weft_sql_types_from[];    /* position → position, type of those after it */
extern const char weft_sql_used[];          /* → bytes in the database, without free pages */
extern const char weft_sql_look[];          /* position → stored_us, size of the event */
extern const char weft_sql_head[];          /* → position, stored_us, chain */
extern const char weft_sql_row[];           /* position → as rows_after */
extern const char weft_sql_chain[];         /* position → chain */
extern const char
    weft_sql_rows_after[]; /* position, limit → position, type, chain, stored_us, event */

/* For a copy; the store that is read is attached as source. */
extern const char weft_sql_copy_rows[];        /* after, limit, last one wanted */
extern const char weft_sql_copy_top[];         /* → highest position in the copy */
extern const char weft_sql_copy_wanted[];      /* → highest position in the source */
extern const char weft_sql_copy_rest[];        /* all but rows and readers; both have one schema */
extern const char weft_sql_copy_has_readers[]; /* → 1 if the source knows readers */
extern const char weft_sql_copy_readers[];
/* For a copy that ends earlier; the rows beyond are not in it. */
extern const char weft_sql_copy_anchor[];    /* → position before the first row */
extern const char weft_sql_types_unused[];   /* types that came later go; the ids have no holes */
extern const char weft_sql_origins_forget[]; /* position: origins with a row beyond it go */
extern const char weft_sql_origin_add[];     /* as origin_put; one that is there stays as it is */

#endif
