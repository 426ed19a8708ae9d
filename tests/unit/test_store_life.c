/* P3: pages of logs that had a life: batches of any size, some taken back by a full disk, types that come
 * up late, restarts and trims in the midst of blocks, filters, starts and limits at random. Each page is
 * what a plain list of all that was acknowledged says; nothing is passed over. */
#include "store_fixture.h"

#include "kit.h"
#include "kit_vfs.h"
#include "weft_pages.h"
#include "weft_postings.h"
#include "weft_type.h"

#define LIVES 6u
#define BLOCKS 24u
#define PICKS_MAX (WEFT_POSTINGS_BLOCK / 16) /* more of interest in a block: it is scanned */
#define NAMES 40u                            /* of types; the late ones come up with the log */
#define PAGES_MAX 60u                        /* that one reader asks for */

typedef struct {
    fixture_t *f;
    uint64_t seed, seq;
    char names[NAMES][16];
    uint8_t types[(BLOCKS + 2) * WEFT_POSTINGS_BLOCK + 1]; /* by position */
    weft_log_reader_t *reader;
    weft_pages_t *pages; /* of that reader, kept from read to read */
    uint64_t again;      /* pages that were served from there */
    uint64_t taken_back, at_picks_max;
} life_t;

static uint64_t s_below(life_t *l, uint64_t limit) {
    return kit_below(&l->seed, limit);
}

static uint64_t s_head(const life_t *l) {
    return weft_sequencer_position(l->f->sequencer);
}

/* ---- what happens to the log */

/* Mostly type 0; each other one about once in rarity events. */
static size_t s_type(life_t *l, uint64_t rarity) {
    size_t known = 3 + s_head(l) / WEFT_POSTINGS_BLOCK * (NAMES - 3) / (BLOCKS + 2);
    return s_below(l, rarity) ? 0 : 1 + s_below(l, known);
}

/* The types of the next batch, in the list of what will have been acknowledged. */
static uint64_t s_plan(life_t *l) {
    uint64_t head = s_head(l), left = weft_postings_last(weft_postings_block(head + 1)) - head;
    uint64_t count = s_below(l, 3) ? 1 + s_below(l, 900) : left;
    uint8_t *types = l->types + head + 1;
    if (count == WEFT_POSTINGS_BLOCK ||
        s_below(l, 12) == 0) { /* as many as postings are good for */
        uint64_t many = PICKS_MAX - 2 + s_below(l, 5);
        uint8_t most = 0;
        if (count < WEFT_POSTINGS_BLOCK) { /* a batch of one type */
            many = 0;
            most = (uint8_t) s_below(l, 3);
        }
        memset(types, most, count);
        for (uint64_t put = 0; put < many;) {
            uint8_t *type = types + s_below(l, count);
            put += *type != 1;
            *type = 1;
        }
        l->at_picks_max += many == PICKS_MAX;
    } else {
        uint64_t rarity = s_below(l, 2) ? 4 + s_below(l, 60) : 300 + s_below(l, 3000);
        for (uint64_t i = 0; i < count; i++) types[i] = (uint8_t) s_type(l, rarity);
    }
    return count;
}

static void s_append(life_t *l) {
    uint64_t count = s_plan(l), head = s_head(l), seq = l->seq;
    fixture_begin(l->f);
    for (uint64_t i = 0; i < count; i++)
        assert_true(fixture_take(l->f, l->names[l->types[head + 1 + i]], 1, ++seq, s_below(l, 12)));
    if (s_below(l, 4) == 0) kit_vfs_fault(KIT_FAULT_FULL, 1 + (unsigned) s_below(l, 12), true);
    weft_err_t rc = fixture_end(l->f);
    kit_vfs_heal();
    if (rc == WEFT_OK) {
        l->seq = seq;
        return;
    }
    assert_rc(rc, WEFT_E_FULL);
    l->taken_back++;
}

static void s_close_reader(life_t *l) {
    if (l->pages) l->again += weft_pages_again(l->pages);
    weft_pages_destroy(&l->pages);
    weft_log_reader_destroy(&l->reader);
}

static void s_open_reader(life_t *l) {
    s_close_reader(l);
    assert_rc(weft_log_reader_new(&l->reader, weft_store_path(l->f->store)), WEFT_OK);
    l->pages = weft_pages_new(l->reader, weft_store_log(l->f->store));
    assert_non_null(l->pages);
}

static void s_restart(life_t *l) {
    s_close_reader(l);
    fixture_reopen(l->f);
    s_open_reader(l);
}

static void s_trim(life_t *l) {
    uint64_t anchor = weft_store_anchor(l->f->store), head = s_head(l);
    if (head > anchor)
        assert_rc(weft_store_trim(l->f->store, anchor + 1 + s_below(l, (head - anchor) / 3 + 1)),
                  WEFT_OK);
}

/* ---- reading it */

static bool s_matches(const weft_filters_t *filters, const char *type) {
    for (size_t i = 0; i < filters->count; i++)
        if (weft_filter_match(filters->items[i].data, filters->items[i].size, type, strlen(type)))
            return true;
    return false;
}

/* Each event of the page is the next one of the list that the filters match. */
static void s_check_page(life_t *l, const weft_filters_t *filters, uint64_t from, const void *body,
                         size_t size_of_body, const weft_log_page_t *page) {
    weft_mp_t r = weft_mp_reader(body, size_of_body);
    uint64_t at = from, count = 0;
    while (weft_mp_left(&r)) {
        const char *type = NULL;
        size_t size = 0;
        weft_stamp_t stamp;
        weft_wire_event_t event;
        assert_true(weft_mp_str(&r, &type, &size) && weft_stamp_take(&r, &stamp));
        assert_rc(weft_wire_event_take(&r, &event), WEFT_OK);
        do at++;
        while (at < stamp.position && !s_matches(filters, l->names[l->types[at]]));
        if (at != stamp.position)
            fail_msg("seed %llu: after %llu came %llu, and %llu was due",
                     (unsigned long long) l->seed, (unsigned long long) from,
                     (unsigned long long) stamp.position, (unsigned long long) at);
        assert_int_equal(strlen(l->names[l->types[at]]), size);
        assert_memory_equal(l->names[l->types[at]], type, size);
        count++;
    }
    assert_int_equal(count, page->count);
    while (++at <= page->next)
        if (s_matches(filters, l->names[l->types[at]]))
            fail_msg("seed %llu: %llu was passed over on the way from %llu to %llu",
                     (unsigned long long) l->seed, (unsigned long long) at,
                     (unsigned long long) from, (unsigned long long) page->next);
}

/* What a FETCH gets, which may have been read before the log went on; now and then the page behind it is
 * read ahead, and what nobody asked for is forgotten. */
static void s_fetch(life_t *l, const weft_filters_t *filters, const weft_fetch_t *fetch,
                    weft_log_page_t *page) {
    weft_log_head_t head;
    zmq_msg_t *body;
    assert_rc(weft_pages_get(l->pages, fetch, filters, &head, page, &body), WEFT_OK);
    assert_int_equal(head.position, s_head(l));
    assert_true(page->next > fetch->position.at.position.value && page->next <= head.position);
    s_check_page(l, filters, fetch->position.at.position.value, zmq_msg_data(body),
                 zmq_msg_size(body), page);
    if (s_below(l, 2)) weft_pages_ahead(l->pages);
    if (s_below(l, 100) == 0) weft_pages_tick(l->pages);
}

static void s_read(life_t *l) {
    static const char *const wilds[] = {"r.*", "late.>", "late.x.*", "none", ">"};
    static const uint64_t events[] = {1, 2, 7, PICKS_MAX, WEFT_PAGE_EVENTS_MAX};
    static const uint64_t sizes[] = {0, 300, 5000, WEFT_PAGE_BYTES_MAX};
    weft_text_t items[3];
    weft_filters_t filters = {.count = 1 + s_below(l, 3), .items = items};
    weft_buf_t raw;
    weft_buf_init(&raw);
    for (size_t i = 0; i < filters.count; i++)
        items[i] = weft_text(s_below(l, 3) ? l->names[1 + s_below(l, NAMES - 1)]
                                           : wilds[s_below(l, s_below(l, 6) ? 4 : 5)]);
    if (s_below(l, 3)) items[0] = weft_text(l->names[1]);
    if (s_below(l, 2)) filters.count = 1; /* so that it is asked for again */
    weft_filters_encode(&raw, &filters);
    weft_fetch_t fetch = {.filters = {.data = raw.data, .size = raw.size},
                          .max_events = events[s_below(l, 5)],
                          .max_bytes = sizes[s_below(l, 4)]};
    uint64_t anchor = weft_store_anchor(l->f->store), head = s_head(l);
    weft_log_page_t page = {.next = anchor};
    if (s_below(l, 2)) page.next += s_below(l, head - anchor + 1);
    unsigned pages = s_below(l, 3) ? 3 : PAGES_MAX; /* few: then those before are still kept */
    for (unsigned i = 0; i < pages && page.next < head; i++) {
        fetch.position = (weft_place_t){.kind = WEFT_PLACE_NUMBER, .at.position = {page.next}};
        s_fetch(l, &filters, &fetch, &page);
        assert_true(page.count <= fetch.max_events);
    }
    weft_buf_free(&raw);
}

/* ---- a life */

static void s_live(life_t *l) {
    strcpy(l->names[0], "common");
    strcpy(l->names[1], "r.x");
    strcpy(l->names[2], "r.y");
    for (unsigned i = 3; i < NAMES; i++)
        snprintf(l->names[i], sizeof l->names[i], i % 2 ? "late.%u" : "late.x.%u", i);
    s_open_reader(l);
    while (s_head(l) < BLOCKS * WEFT_POSTINGS_BLOCK) {
        s_append(l);
        if (s_below(l, 12) == 0) s_restart(l);
        if (s_below(l, 50) == 0) s_trim(l);
        if (s_below(l, 30) == 0) s_open_reader(l);
        if (s_below(l, 3) == 0) s_read(l);
    }
    for (unsigned i = 0; i < 300; i++) s_read(l);
    s_close_reader(l);
}

static void pages_pass_over_nothing(void **state) {
    static life_t l;
    uint64_t taken_back = 0, at_picks_max = 0, again = 0;
    (void) state;
    const char *given = getenv("WEFT_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 1;
    for (unsigned i = 0; i < LIVES; i++) {
        void *store = NULL;
        kit_vfs_reset();
        assert_int_equal(fixture_set_up(&store), 0);
        l = (life_t){.f = store, .seed = seed + i};
        s_live(&l);
        taken_back += l.taken_back;
        at_picks_max += l.at_picks_max;
        again += l.again;
        fixture_tear_down(&store);
    }
    assert_true(taken_back > 20 && at_picks_max > 0 &&
                again > 500); /* or it tests less than it says */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(pages_pass_over_nothing)};
    kit_vfs_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
