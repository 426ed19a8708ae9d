/* The bus' store on a disk that fails and loses power, at every call in turn: what was acknowledged is
 * there, nothing is half there, the chain holds, and errors have the right names (P1, I3). Two workloads: a
 * store is made and takes a batch; a store of an old schema, trimmed to shortly before the end of a block,
 * is brought up to date, takes batches that fill the block (postings), forgets, and notes its readers. */
#include "kit.h"
#include "store_fixture.h"

#include "kit_vfs.h"
#include "weft_log_check.h"

#include <fcntl.h>
#include <sys/stat.h>

#define BATCHES 6u
#define EVENTS 12u        /* in a batch */
#define WAL_BYTES 400000u /* a checkpoint each few batches */
#define NTH_MAX 20000u
#define ANCHOR 4060u /* of the old store; its block ends with 4096 */
#define POSITIONS (BATCHES * EVENTS + 3 * EVENTS)
#define KEPT 20u /* rows behind the head that are not forgotten */

typedef struct {
    fixture_t f;
    bool fresh; /* the store is made, and takes one batch */
    weft_log_reader_t *reader;
    uint64_t acked, acked_chain; /* of the last batch that was acknowledged */
    uint64_t tried;              /* position after the last batch that was tried */
    uint64_t seqs[3];            /* as acknowledged, by origin */
    uint64_t stored[3];          /* as the store says after a start */
    unsigned appends;
    uint64_t chains[POSITIONS];    /* of the rows tried last, from ANCHOR on */
    uint64_t anchor, anchor_tried; /* forgotten up to here for sure; perhaps */
    uint64_t noted, noted_tried;   /* the same of what a reader said */
    uint64_t anchor_unsynced,
        noted_unsynced; /* done, and for sure once the next batch is acknowledged */
} run_t;

static run_t w;

/* ---- the workload */

static void s_close(void) {
    weft_log_reader_destroy(&w.reader);
    fixture_close(&w.f);
}

static bool s_load_origins(void) {
    for (uint8_t i = 1; i <= 2; i++) {
        uint8_t uuid[16] = {[15] = i};
        uint64_t position, chain;
        if (weft_store_origin(w.f.store, uuid, &w.stored[i], &position, &chain) != WEFT_OK)
            return false;
        assert_non_null(
            weft_sequencer_load_origin(w.f.sequencer, uuid, w.stored[i], position, chain));
    }
    return true;
}

/* Upkeep is not synced, but comes along with the next batch; nothing of it is half there. */
static void s_check_anchor(const weft_log_head_t *head) {
    if (w.fresh) return;
    assert_in_range(head->anchor, w.anchor, w.anchor_tried);
    if (head->anchor > ANCHOR) assert_true(head->anchor_chain == w.chains[head->anchor - ANCHOR]);
}

static bool s_open(void) {
    weft_err_t rc = fixture_try_open(&w.f);
    if (rc != WEFT_OK) {
        assert_true(w.f.reason[0] != '\0');
        if (rc != WEFT_E_STORE && rc != WEFT_E_FULL)
            fail_msg("%s after %s: %s", weft_err_name(rc), kit_vfs_hit(), w.f.reason);
        return false;
    }
    weft_store_set_wal_target(w.f.store, WAL_BYTES);
    const weft_log_head_t *head = weft_store_head(w.f.store);
    assert_true(head->position >= w.acked); /* P1 */
    s_check_anchor(head);
    w.f.sequencer = weft_sequencer_new(head->position, head->chain, head->stored_us);
    assert_non_null(w.f.sequencer);
    return weft_store_load_types(w.f.store, w.f.sequencer) == WEFT_OK && s_load_origins() &&
           weft_log_reader_new(&w.reader, weft_store_path(w.f.store)) == WEFT_OK;
}

/* Some of each: two origins, one without, new types now and then, an event with overflow pages. */
static weft_err_t s_append(unsigned batch) {
    uint64_t seqs[3] = {0, w.stored[1], w.stored[2]};
    fixture_begin(&w.f);
    for (unsigned i = 0; i < EVENTS; i++) {
        char type[16];
        uint8_t origin = (uint8_t) (i % 3);
        snprintf(type, sizeof type, "t.n%u", i < 2 ? batch : i % 4);
        assert_true(fixture_take(&w.f, type, origin, origin ? ++seqs[origin] : 0,
                                 i == 5 ? 40000 : 100 * i));
    }
    w.tried = weft_sequencer_position(w.f.sequencer) + EVENTS;
    w.appends++;
    size_t count;
    const weft_row_t *rows = weft_sequencer_rows(w.f.sequencer, &count);
    for (size_t i = 0; i < count && !w.fresh; i++) {
        assert_in_range(rows[i].position - ANCHOR, 1, POSITIONS - 1);
        w.chains[rows[i].position - ANCHOR] = rows[i].chain;
    }
    weft_err_t rc = fixture_end(&w.f);
    if (rc != WEFT_OK) return rc;
    w.anchor = w.anchor_unsynced;
    w.noted = w.noted_unsynced;
    w.acked = weft_sequencer_position(w.f.sequencer);
    w.acked_chain = weft_sequencer_chain(w.f.sequencer);
    memcpy(w.seqs, seqs, sizeof w.seqs);
    memcpy(w.stored, seqs, sizeof w.stored);
    return WEFT_OK;
}

/* An append that failed. True: it passes, and the batch may be tried again. */
static bool s_failed(weft_err_t rc, bool may_pass) {
    assert_rc(weft_store_trouble(w.f.store), rc);
    if (rc == WEFT_E_FULL && may_pass) return true;
    assert_rc(rc, WEFT_E_STORE);
    assert_rc(s_append(0), WEFT_E_STORE); /* closed until a restart, whatever the disk does then */
    assert_rc(weft_store_retry(w.f.store), WEFT_E_STORE);
    return false;
}

/* What catch-up serves is what was acknowledged. */
static void s_read(void) {
    weft_log_head_t head;
    weft_log_page_t page;
    weft_text_t items[1] = {weft_text(">")};
    weft_filters_t filters = {.count = 1, .items = items};
    weft_buf_t bytes;
    weft_buf_init(&bytes);
    weft_err_t rc = weft_log_reader_begin(w.reader, &head);
    uint64_t at = rc == WEFT_OK ? head.anchor : 0;
    while (rc == WEFT_OK && at < head.position) {
        weft_buf_clear(&bytes);
        rc = weft_log_reader_page(w.reader, at, &filters, 1000, 1 << 18, &bytes, &page);
        if (rc == WEFT_OK) at = page.next;
    }
    weft_log_reader_end(w.reader);
    weft_buf_free(&bytes);
    if (rc == WEFT_OK) {
        assert_int_equal(at, w.acked);
        if (at > head.anchor) assert_true(page.chain == w.acked_chain);
    } else {
        assert_true(kit_vfs_reached());
        assert_true(rc == WEFT_E_STORE || rc == WEFT_E_FULL);
    }
}

/* ---- upkeep */

#define READER "a reader"

static weft_err_t s_note_reader(void) {
    weft_reader_t reader = {.instance = {{7}}, .name = READER, .resume = w.acked, .seen_us = 1};
    w.noted_tried = w.acked;
    weft_err_t rc = weft_store_put_readers(w.f.store, &reader, 1);
    if (rc == WEFT_OK) w.noted_unsynced = w.acked;
    return rc;
}

static weft_err_t s_forget(void) {
    if (w.acked < weft_store_anchor(w.f.store) + KEPT) return WEFT_OK;
    uint64_t to = w.acked - KEPT / 2;
    w.anchor_tried = to;
    weft_err_t rc = weft_store_trim(w.f.store, to);
    if (rc == WEFT_OK) w.anchor_unsynced = to;
    return rc;
}

/* Both may fail where a batch finds room; neither may do harm. */
static void s_upkeep(void) {
    if (w.fresh) return;
    weft_err_t rc = s_note_reader();
    if (rc == WEFT_OK || rc == WEFT_E_FULL) rc = s_forget();
    if (rc == WEFT_OK || rc == WEFT_E_FULL) return;
    assert_rc(rc, WEFT_E_STORE);
    assert_rc(weft_store_trouble(w.f.store), WEFT_E_STORE);
}

static bool s_on_reader(void *arg, const weft_reader_t *reader) {
    *(uint64_t *) arg = reader->resume;
    assert_string_equal(reader->name, READER);
    assert_int_equal(reader->seen_us, 1);
    return true;
}

/* True: all batches are acknowledged. */
static bool s_work(kit_fault_t fault, bool for_good) {
    bool room_comes_back = !for_good;
    bool done = s_open();
    for (unsigned batch = 0; done && batch < (w.fresh ? 1 : BATCHES); batch++) {
        weft_err_t rc = s_append(batch);
        if (rc != WEFT_OK && s_failed(rc, fault == KIT_FAULT_FULL || fault == KIT_FAULT_SHORT)) {
            if (room_comes_back) kit_vfs_heal();
            if (batch % 2) assert_rc(weft_store_retry(w.f.store), room_comes_back ? WEFT_OK : rc);
            rc = s_append(batch);
            if (room_comes_back) assert_rc(rc, WEFT_OK);
        }
        done = rc == WEFT_OK;
        if (w.reader) s_read();
        s_upkeep();
        rc = weft_store_checkpoint(w.f.store);
        if (rc != WEFT_OK) assert_rc(weft_store_trouble(w.f.store), WEFT_E_STORE);
    }
    if (w.f.store || w.f.sequencer) s_close();
    return done;
}

/* ---- what must hold after a restart */

static void s_fail_here(const char *what, kit_fault_t fault, unsigned nth, bool for_good) {
    fail_msg("%s: %s at call %u, %s (%s): acked %u, tried %u", what, kit_fault_names[fault], nth,
             for_good ? "for good" : "once", kit_vfs_hit(), (unsigned) w.acked, (unsigned) w.tried);
}

static void s_verify(kit_fault_t fault, unsigned nth, bool for_good) {
    weft_log_check_t check;
    if (!s_open()) s_fail_here(w.f.reason, fault, nth, for_good);
    uint64_t head = weft_store_head(w.f.store)->position;
    if (head != w.acked && head != w.tried) s_fail_here("half a batch", fault, nth, for_good);
    if (head == w.acked && w.acked && weft_store_head(w.f.store)->chain != w.acked_chain)
        s_fail_here("another chain", fault, nth, for_good);
    if (head == w.acked && (w.stored[1] != w.seqs[1] || w.stored[2] != w.seqs[2]))
        s_fail_here("origins and rows part", fault, nth, for_good);
    if (weft_log_check(w.f.dir, NULL, NULL, &check) != WEFT_OK)
        s_fail_here(check.reason, fault, nth, for_good);
    uint64_t noted = 0;
    assert_rc(weft_log_reader_readers(w.reader, s_on_reader, &noted), WEFT_OK);
    if (noted < w.noted || noted > w.noted_tried)
        s_fail_here("what a reader said is lost", fault, nth, for_good);
    w.acked = head; /* what is found counts from here on: WELCOME tells it */
    w.acked_chain = weft_store_head(w.f.store)->chain;
    w.anchor_unsynced = weft_store_anchor(w.f.store);
    w.noted_unsynced = noted;
    if (s_append(7) != WEFT_OK) s_fail_here("cannot go on", fault, nth, for_good);
    s_read();
    s_upkeep();
    assert_rc(weft_store_trouble(w.f.store), WEFT_OK);
    s_close();
    if (weft_log_check(w.f.dir, NULL, NULL, &check) != WEFT_OK || check.head != w.acked)
        s_fail_here(check.reason, fault, nth, for_good);
}

static void s_begin(bool fresh) {
    kit_vfs_reset();
    memset(&w, 0, sizeof w);
    w.fresh = fresh;
    snprintf(w.f.dir, sizeof w.f.dir, "%s/bus", kit_dir());
    if (fresh) return;
    fixture_open(&w.f);
    fixture_close(&w.f);
    fixture_sql(&w.f, "UPDATE meta SET value = %u WHERE key = 'anchor_position'", ANCHOR);
    fixture_make_old(&w.f);
    w.acked = w.anchor = w.anchor_tried = w.anchor_unsynced = ANCHOR;
    kit_vfs_heal();
}

/* Fail call 1, 2, 3 … until a run goes through untouched. The number of calls that failed. */
static unsigned s_each_of(bool fresh, kit_fault_t fault, bool for_good) {
    unsigned nth = 1;
    for (;; nth++) {
        assert_true(nth < NTH_MAX);
        s_begin(fresh);
        kit_vfs_fault(fault, nth, for_good);
        bool done = s_work(fault, for_good);
        bool reached = kit_vfs_reached();
        if (!reached) assert_true(done);
        kit_vfs_heal();
        s_verify(fault, nth, for_good);
        /* a power loss now must not take anything that a restart found, not even after a failed sync */
        kit_vfs_power_loss(4 * nth);
        s_verify(fault, nth, for_good);
        if (!reached) return nth - 1;
    }
}

static unsigned s_each(kit_fault_t fault, bool for_good) {
    return s_each_of(true, fault, for_good) + s_each_of(false, fault, for_good);
}

static unsigned s_total;

static void s_count(const char *what, unsigned points) {
    printf("bus store: %-28s %5u fault points\n", what, points);
    s_total += points;
}

static void each_call_fails_once(void **state) {
    (void) state;
    s_count("I/O error, once", s_each(KIT_FAULT_IO, false));
    s_count("disk full, once", s_each(KIT_FAULT_FULL, false));
    s_count("short write, once", s_each(KIT_FAULT_SHORT, false));
    s_count("failed sync, once", s_each(KIT_FAULT_SYNC, false));
}

static void each_call_fails_for_good(void **state) {
    (void) state;
    s_count("I/O error, for good", s_each(KIT_FAULT_IO, true));
    s_count("disk full, for good", s_each(KIT_FAULT_FULL, true));
    s_count("short write, for good", s_each(KIT_FAULT_SHORT, true));
    s_count("failed sync, for good", s_each(KIT_FAULT_SYNC, true));
}

/* The power goes at each call that changes the disk, with several fates of what was not synced; the
 * restart loses power, too. */
static unsigned s_each_power_loss(bool fresh) {
    unsigned points = 0;
    bool reached = true;
    for (unsigned nth = 1; reached; nth++) {
        for (unsigned fate = 0; fate < 6; fate++) {
            s_begin(fresh);
            kit_vfs_fault(KIT_FAULT_CRASH, nth, true);
            s_work(KIT_FAULT_CRASH, true);
            reached = kit_vfs_reached();
            kit_vfs_heal();
            kit_vfs_power_loss(6 * nth + fate);
            if (fate % 2) { /* again, while it starts */
                uint64_t acked = w.acked;
                kit_vfs_fault(KIT_FAULT_CRASH, 1 + nth % 9, true);
                (void) s_open();
                s_close();
                assert_int_equal(w.acked, acked);
                kit_vfs_heal();
                kit_vfs_power_loss(7 * nth + fate);
            }
            s_verify(KIT_FAULT_CRASH, nth, true);
            points += reached;
        }
    }
    return points;
}

static void power_is_lost_at_each_call(void **state) {
    (void) state;
    s_count("power lost (6 fates each)", s_each_power_loss(true) + s_each_power_loss(false));
}

int main(void) {
    setenv("WEFT_DIAG", "off", 1);
    kit_vfs_install();
    /* The store syncs the names of a new directory on the real disk. That takes time; it is not new here. */
    char *dir = kit_path("bus"), *file = kit_path("bus/log.db");
    mkdir(dir, 0700);
    close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    free(dir);
    free(file);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_fails_once),
        cmocka_unit_test(each_call_fails_for_good),
        cmocka_unit_test(power_is_lost_at_each_call),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    printf("bus store: %u fault points in all\n", s_total);
    return failed;
}
