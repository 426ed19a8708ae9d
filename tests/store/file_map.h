/* file_map: what each byte of an SQLite file is for, worked out from the file format alone
 * (sqlite.org/fileformat2.html) and without SQLite, so that a test can tell what a flipped bit hit. */
#ifndef FILE_MAP_H
#define FILE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAP_CLASSES(X)                                          \
    X(ROW_BODY, "event rows: time, type, chain, event")              \
    X(ROW_KEY, "event rows: position")                               \
    X(ROW_HEAD, "event rows: kinds and sizes of columns")            \
    X(ROW_SIZE, "event rows: size of the whole row")                 \
    X(ROW_LINK, "event rows: link to the rest of a large row")       \
    X(ROW_NULL, "event rows: kind of the key's column (1)")          \
    X(ROW_END, "event rows: link at the end of a large row (2)")     \
    X(TREE, "event tree: inner pages")                               \
    X(PAGE_HEAD, "event tree: heads of pages, places of rows")       \
    X(OTHER, "other tables: types, readers, postings, rare, schema") \
    X(TRUST, "origins and meta: their rows")                         \
    X(FILE_HEAD, "head of the file")                                 \
    X(FREE, "free space")

/* (1) SQLite keeps NULL in the column that is the row's key and never looks at it. One bit of that byte
 *     makes it the constant 0, which has no bytes either: nothing that is read changes.
 * (2) It is 0, and who has read the whole row does not look at it. */
#define MAP_NULL_DEAD_BIT 3u

typedef enum {
#define X(name, text) MAP_##name,
    FILE_MAP_CLASSES(X)
#undef X
        MAP_COUNT
} file_class_t;

static const char *const file_class_text[] = {
#define X(name, text) text,
    FILE_MAP_CLASSES(X)
#undef X
};

typedef struct {
    const uint8_t *bytes;
    size_t size, page;
    uint8_t *of; /* file_class_t of each byte */
} file_map_t;

static inline uint32_t map_big(const uint8_t *at, unsigned size) {
    uint32_t value = 0;
    while (size--) value = value << 8 | *at++;
    return value;
}

static inline size_t map_varint(const uint8_t *at, uint64_t *value) {
    *value = 0;
    for (size_t i = 0; i < 8; i++) {
        *value = *value << 7 | (at[i] & 0x7f);
        if (!(at[i] & 0x80)) return i + 1;
    }
    *value = *value << 8 | at[8];
    return 9;
}

static inline void map_mark(file_map_t *self, size_t from, size_t size, bool events,
                            file_class_t is) {
    memset(self->of + from, events ? (int) is : MAP_OTHER, size);
}

static inline void map_overflow(file_map_t *self, uint32_t number, size_t left, bool events) {
    while (number && left) {
        size_t at = (number - 1) * self->page;
        size_t part = left < self->page - 4 ? left : self->page - 4;
        map_mark(self, at, 4, events, part < left ? MAP_ROW_LINK : MAP_ROW_END);
        map_mark(self, at + 4, part, events, MAP_ROW_BODY);
        left -= part;
        number = map_big(self->bytes + at, 4);
    }
}

/* A cell of a leaf of a table. */
static inline void map_row(file_map_t *self, size_t at, bool events) {
    uint64_t size, rowid, head;
    size_t n = map_varint(self->bytes + at, &size);
    map_mark(self, at, n, events, MAP_ROW_SIZE);
    at += n;
    n = map_varint(self->bytes + at, &rowid);
    map_mark(self, at, n, events, MAP_ROW_KEY);
    at += n;
    size_t most = self->page - 35, least = (self->page - 12) * 32 / 255 - 23, local = size;
    if (size > most) {
        local = least + (size - least) % (self->page - 4);
        if (local > most) local = least;
    }
    n = map_varint(self->bytes + at, &head);
    map_mark(self, at, head, events, MAP_ROW_HEAD);
    map_mark(self, at + n, 1, events, MAP_ROW_NULL);
    map_mark(self, at + head, local - head, events, MAP_ROW_BODY);
    if (local == size) return;
    map_mark(self, at + local, 4, events, MAP_ROW_LINK);
    map_overflow(self, map_big(self->bytes + at + local, 4), size - local, events);
}

/* A cell of an index, or of a table without rowid. They are small here: none overflows. */
static inline void map_entry(file_map_t *self, size_t at, file_class_t entries) {
    uint64_t size;
    size_t n = map_varint(self->bytes + at, &size);
    memset(self->of + at, entries, n + size);
}

/* entries: what the entries of an index or a table without rowid are. */
static inline void map_tree(file_map_t *self, uint32_t number, bool events, file_class_t entries) {
    size_t base = (number - 1) * self->page, at = base + (number == 1 ? 100 : 0);
    uint8_t kind = self->bytes[at];
    uint32_t count = map_big(self->bytes + at + 3, 2);
    size_t head = kind == 5 || kind == 2 ? 12 : 8;
    if (kind == 2) abort(); /* so are they: none has inner pages */
    map_mark(self, at, head + 2 * count, events, MAP_PAGE_HEAD);
    for (uint32_t i = 0; i < count; i++) {
        size_t cell = base + map_big(self->bytes + at + head + 2 * i, 2);
        uint64_t key;
        if (kind == 13) map_row(self, cell, events);
        if (kind == 10) map_entry(self, cell, entries);
        if (kind != 5) continue;
        map_mark(self, cell, 4 + map_varint(self->bytes + cell + 4, &key), events, MAP_TREE);
        map_tree(self, map_big(self->bytes + cell, 4), events, entries);
    }
    if (kind == 5) {
        map_mark(self, at + 8, 4, events, MAP_TREE);
        map_tree(self, map_big(self->bytes + at + 8, 4), events, entries);
    }
}

/* A root page, and what lies on it: MAP_ROW_BODY stands for events. */
typedef struct {
    uint32_t page;
    file_class_t holds;
} file_root_t;

/* roots: of all tables but the schema. */
static inline void file_map_make(file_map_t *self, const uint8_t *bytes, size_t size,
                                 const file_root_t *roots, size_t count) {
    uint32_t page = map_big(bytes + 16, 2);
    *self = (file_map_t){.bytes = bytes, .size = size, .page = page == 1 ? 65536 : page};
    self->of = malloc(size);
    memset(self->of, MAP_FREE, size);
    memset(self->of, MAP_FILE_HEAD, 100);
    map_tree(self, 1, false, MAP_OTHER);
    for (size_t i = 0; i < count; i++)
        map_tree(self, roots[i].page, roots[i].holds == MAP_ROW_BODY, roots[i].holds);
}

#endif
