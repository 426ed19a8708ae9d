/* weft_log_reader_inner: what the parts of the reader share: weft_log_reader (the transaction),
 * weft_log_rows (rows and their checks), weft_log_page (pages). Nobody else includes it. */
#ifndef WEFT_LOG_READER_INNER_H
#define WEFT_LOG_READER_INNER_H

#include "weft_log_reader.h"
#include "weft_postings.h"
#include "weft_stmt.h"

/* Events of interest in one block that are looked up one by one. More of them: read all of it. */
#define WEFT_LOG_PICKS_MAX (WEFT_POSTINGS_BLOCK / 16)

typedef struct {
    char *name; /* NULL: no such id */
    size_t size;
    uint64_t hash;
    bool vouched; /* by the checksum of a row that has it: the name is what was written */
} weft_log_type_t;

struct weft_log_reader {
    sqlite3 *db;
    weft_turnstile_t *turnstile; /* NULL: nobody to share with */
    weft_stmt_t head, meta, row, chain, origin, origins, types_after, rows_after, look;
    weft_stmt_t postings, rare;          /* none in an old store that no bus has opened yet */
    bool postings_damaged, rare_damaged; /* told once */
    uint64_t picks[WEFT_LOG_PICKS_MAX];
    weft_log_head_t at;    /* of the transaction in hand */
    weft_log_meta_t known; /* likewise */
    uint64_t highest;      /* head ever seen */
    bool open;
    weft_log_type_t *types;             /* by id */
    uint8_t *wanted;                    /* by id, for the page in hand */
    size_t types_count, types_capacity; /* ids below types_count have been asked for */
    const weft_filters_t *filters;      /* of the page in hand */
    char reason[256];
};

/* A row as the database has it. */
typedef struct {
    uint64_t position, chain, checksum, event_hash;
    int64_t type, stored_us;
    const void *event; /* NULL: it is no blob */
    size_t size;
} weft_log_row_t;

/* Note what is damaged or cannot be read, give back WEFT_E_CORRUPT or rc. */
weft_err_t weft_log_damaged(weft_log_reader_t *self, uint64_t position, const char *what);
weft_err_t weft_log_unreadable(weft_log_reader_t *self, weft_err_t rc, uint64_t position);
extern const char weft_log_missing[];

bool weft_log_room_for_type(weft_log_reader_t *self, size_t id);
/* type out: NULL if the store has none with that id. */
weft_err_t weft_log_type(weft_log_reader_t *self, int64_t id, const weft_log_type_t **type);
weft_err_t weft_log_chain_at(weft_log_reader_t *self, uint64_t position, uint64_t *chain);
/* From the row that weft_sql_row or weft_sql_rows_after stands on. */
void weft_log_take_row(const weft_stmt_t *st, weft_log_row_t *row);
/* Hold it against its checksum and its place in the chain. Sets row->checksum and type. */
weft_err_t weft_log_check_row(weft_log_reader_t *self, weft_log_row_t *row, uint64_t previous_chain,
                              const weft_log_type_t **type);

#endif
