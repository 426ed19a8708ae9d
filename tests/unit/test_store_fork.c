/* A log is cut at an earlier end, also one that forgot its beginning: what the copy says of origins and types
 * is what the log said when it ended there, or what lets nobody send again what it held then. */
#include "store_fixture.h"

#include "weft_log_copy.h"

#define ORIGINS 12u

typedef struct {
    uint64_t last, position, chain;
} state_t;

/* By the last byte of their names. */
static void s_states(fixture_t *f, state_t states[ORIGINS]) {
    for (uint8_t i = 0; i < ORIGINS; i++) {
        const uint8_t uuid[16] = {[15] = i};
        assert_rc(weft_store_origin(f->store, uuid, &states[i].last, &states[i].position,
                                    &states[i].chain),
                  WEFT_OK);
    }
}

static weft_err_t s_copy(fixture_t *f, uint64_t up_to, fixture_t *copy, weft_log_copy_fn progress,
                         weft_log_copy_t *out) {
    snprintf(copy->dir, sizeof copy->dir, "%.200s-to-%llu", f->dir, (unsigned long long) up_to);
    return weft_log_copy(f->dir, up_to, copy->dir, progress, f, out);
}

/* To be closed. */
static void s_fork(fixture_t *f, uint64_t up_to, fixture_t *copy) {
    weft_log_copy_t out;
    weft_err_t rc = s_copy(f, up_to, copy, NULL, &out);
    if (rc != WEFT_OK) print_error("%s\n", out.reason);
    assert_rc(rc, WEFT_OK);
    fixture_open(copy);
}

static void s_check_refused(fixture_t *f, uint64_t up_to, weft_log_copy_fn progress,
                            weft_err_t wanted, const char *says) {
    fixture_t copy = {0};
    weft_log_copy_t out;
    char partial[512];
    assert_rc(s_copy(f, up_to, &copy, progress, &out), wanted);
    if (!strstr(out.reason, says)) fail_msg("'%s' is not in '%s'", says, out.reason);
    snprintf(partial, sizeof partial, "%s.partial", copy.dir);
    assert_int_not_equal(access(copy.dir, F_OK), 0);
    assert_int_not_equal(access(partial, F_OK), 0);
}

static void s_check_rows(fixture_t *f, uint64_t anchor, uint64_t head) {
    weft_buf_t w;
    weft_log_page_t page;
    char reason[256];
    weft_buf_init(&w);
    assert_rc(fixture_page(f, anchor, ">", 10000, 1 << 18, &w, &page, reason), WEFT_OK);
    assert_int_equal(page.next, head);
    assert_int_equal(page.count, head - anchor);
    weft_buf_free(&w);
}

static bool s_takes(fixture_t *f, uint8_t origin, uint64_t seq) {
    fixture_begin(f);
    bool taken = fixture_take(f, "a.b", origin, seq, 5);
    assert_rc(fixture_end(f), WEFT_OK);
    return taken;
}

/* ---- one log that has every case */

#define ANCHOR 15u
#define CUT 19u
#define HEAD 28u

static void s_append(fixture_t *f, uint8_t origin, uint64_t first, uint64_t last) {
    assert_rc(fixture_append(f, origin, first, last), WEFT_OK);
}

/* Positions ANCHOR + 1 to HEAD are kept; then is what was known when CUT was the head. */
static void s_fill(fixture_t *f, state_t then[ORIGINS]) {
    s_append(f, 1, 1, 10); /* gone up to the cut */
    s_append(f, 2, 1, 2);  /* gone, and nothing came after the cut */
    s_append(f, 3, 1, 2);  /* gone in part */
    s_append(f, 4, 1, 1);  /* gone, and what tells of it comes late */
    s_append(f, 3, 3, 4);
    s_append(f, 5, 1, 2); /* all kept */
    s_states(f, then);
    assert_int_equal(weft_sequencer_position(f->sequencer), CUT);
    s_append(f, 6, 1, 1); /* later, one event */
    s_append(f, 7, 1, 2); /* later, more than one */
    s_append(f, 1, 11, 12);
    s_append(f, 3, 5, 5);
    s_append(f, 5, 3, 3);
    s_append(f, 4, 2, 2); /* position 27: all is known */
    s_append(f, 1, 13, 13);
    assert_int_equal(weft_sequencer_position(f->sequencer), HEAD);
    assert_rc(weft_store_trim(f->store, ANCHOR), WEFT_OK);
}

static void origins_are_as_they_were_at_the_cut(void **state) {
    fixture_t fork = {0};
    state_t then[ORIGINS], now[ORIGINS];
    s_fill(*state, then);
    s_fork(*state, CUT, &fork);
    s_states(&fork, now);
    for (unsigned i = 0; i < ORIGINS; i++)
        if (now[i].last != then[i].last)
            fail_msg("origin %u: last=%llu, should be %llu", i, (unsigned long long) now[i].last,
                     (unsigned long long) then[i].last);
    for (unsigned i = 2; i <= 5; i++)
        if (i != 4) assert_int_equal(now[i].position, then[i].position);
    assert_int_equal(now[1].position, ANCHOR); /* not before the true one */
    assert_int_equal(now[4].position, ANCHOR);
    assert_true(now[2].chain == then[2].chain && now[5].chain == then[5].chain);
    assert_true(now[1].chain == 0 && now[3].chain == 0 && now[4].chain == 0); /* TWIN */
    fixture_close(&fork);
}

static void what_the_cut_log_held_is_not_taken_again(void **state) {
    fixture_t fork = {0};
    state_t then[ORIGINS];
    s_fill(*state, then);
    s_fork(*state, CUT, &fork);
    for (uint8_t i = 1; i <= 5; i++) {
        assert_false(s_takes(&fork, i, 1));
        assert_false(s_takes(&fork, i, then[i].last));
        assert_true(s_takes(&fork, i, then[i].last + 1));
    }
    assert_true(s_takes(&fork, 6, 1) && s_takes(&fork, 7, 1) && s_takes(&fork, 8, 1));
    s_check_rows(&fork, ANCHOR, CUT + 8);
    fixture_close(&fork);
}

static void a_cut_where_the_kept_rows_begin_has_no_row(void **state) {
    fixture_t *f = *state, fork = {0};
    state_t then[ORIGINS], now[ORIGINS];
    s_fill(f, then);
    assert_rc(weft_store_trim(f->store, CUT), WEFT_OK);
    s_fork(f, CUT, &fork);
    s_states(&fork, now);
    for (unsigned i = 0; i < ORIGINS; i++) assert_int_equal(now[i].last, then[i].last);
    s_check_rows(&fork, CUT, CUT);
    fixture_close(&fork);
    s_check_refused(f, CUT - 1, NULL, WEFT_E_GONE, "cannot end at 18");
}

static void a_fork_can_be_forked(void **state) {
    fixture_t *f = *state, fork = {0}, again = {0};
    state_t then[ORIGINS], now[ORIGINS];
    s_fill(f, then);
    s_fork(f, HEAD - 1, &fork);
    s_fork(&fork, CUT, &again);
    s_states(&again, now);
    for (unsigned i = 0; i < ORIGINS; i++) assert_int_equal(now[i].last, then[i].last);
    fixture_close(&fork);
    fixture_close(&again);
}

static void a_whole_copy_has_the_origins_unchanged(void **state) {
    fixture_t *f = *state, copy = {0};
    state_t then[ORIGINS], now[ORIGINS];
    s_fill(f, then);
    s_states(f, then);
    s_fork(f, WEFT_LOG_COPY_ALL, &copy);
    s_states(&copy, now);
    assert_memory_equal(now, then, sizeof now);
    fixture_close(&copy);
}

static void an_old_store_is_cut_alike(void **state) {
    fixture_t *f = *state, fork = {0};
    state_t then[ORIGINS], now[ORIGINS];
    s_fill(f, then);
    fixture_make_old(f);
    s_fork(f, CUT, &fork);
    s_states(&fork, now);
    for (unsigned i = 0; i < ORIGINS; i++) assert_int_equal(now[i].last, then[i].last);
    fixture_close(&fork);
}

/* ---- what cannot be known */

static bool s_trim_on_the_way(void *arg, const weft_log_copy_t *so_far) {
    fixture_t *f = arg;
    if (strcmp(so_far->doing, "read") == 0) assert_rc(weft_store_trim(f->store, CUT + 1), WEFT_OK);
    return true;
}

static void a_trim_that_takes_what_tells_of_an_origin_is_named(void **state) {
    state_t then[ORIGINS];
    s_fill(*state, then);
    s_check_refused(*state, CUT, s_trim_on_the_way, WEFT_E_GONE,
                    "has meanwhile forgotten events beyond 19");
}

static void damage_beyond_the_cut_counts_until_all_origins_are_known(void **state) {
    fixture_t *f = *state, fork = {0};
    state_t then[ORIGINS];
    s_fill(f, then);
    fixture_sql(f, "UPDATE events SET stored_us = stored_us + 1 WHERE position = 28");
    s_fork(f, CUT, &fork); /* it is not read */
    fixture_close(&fork);
    fixture_sql(f, "UPDATE events SET stored_us = stored_us + 1 WHERE position = 27");
    s_check_refused(f, CUT + 1, NULL, WEFT_E_CORRUPT, "is damaged; weft check");
}

static void an_origin_that_is_missing_is_damage(void **state) {
    fixture_t *f = *state;
    state_t then[ORIGINS];
    s_fill(f, then);
    fixture_sql(f, "DELETE FROM origins WHERE origin = x'00000000000000000000000000000001'");
    s_check_refused(f, CUT, NULL, WEFT_E_CORRUPT, "is damaged");
}

/* ---- any log */

static uint32_t s_random(uint32_t *seed, uint32_t below) {
    *seed = *seed * 1664525 + 1013904223;
    return (*seed >> 8) % below;
}

static void s_append_any(fixture_t *f, uint32_t *seed, uint32_t count, uint64_t lasts[ORIGINS],
                         uint32_t origins) {
    fixture_begin(f);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t origin = s_random(seed, origins);
        uint64_t seq = origin ? ++lasts[origin] : 0; /* 0: fire and forget */
        assert_true(fixture_take(f, "a.b", (uint8_t) origin, seq, 5));
    }
    assert_rc(fixture_end(f), WEFT_OK);
}

static void origins_of_any_log_are_as_they_were(void **state) {
    fixture_t *base = *state;
    for (uint32_t round = 1; round <= 40; round++) {
        uint32_t seed = round, before = 1 + s_random(&seed, 40);
        uint64_t lasts[ORIGINS] = {0};
        fixture_t f = {0}, fork = {0};
        state_t then[ORIGINS], now[ORIGINS];
        snprintf(f.dir, sizeof f.dir, "%.200s-%u", base->dir, round);
        fixture_open(&f);
        s_append_any(&f, &seed, before, lasts, ORIGINS / 2 + s_random(&seed, ORIGINS / 2));
        s_states(&f, then);
        s_append_any(&f, &seed, 1 + s_random(&seed, 60), lasts, ORIGINS);
        uint32_t anchor = s_random(&seed, before + 1);
        if (anchor) assert_rc(weft_store_trim(f.store, anchor), WEFT_OK);
        s_fork(&f, before, &fork);
        s_states(&fork, now);
        for (unsigned i = 0; i < ORIGINS; i++) {
            bool exact = now[i].position == then[i].position && now[i].chain == then[i].chain;
            bool unknown = then[i].last && then[i].position <= now[i].position &&
                           now[i].position <= before && !now[i].chain;
            if (now[i].last != then[i].last || !(exact || unknown))
                fail_msg("round %u, origin %u: last=%llu, should be %llu", round, i,
                         (unsigned long long) now[i].last, (unsigned long long) then[i].last);
        }
        fixture_close(&fork);
        fixture_close(&f);
    }
}

/* ---- types */

/* A new type gets the id behind the highest one, and there are as many ids as types: no hole may eat one. */
static void a_fork_of_a_log_that_forgot_keeps_the_ids_of_its_types(void **state) {
    static const char *const names[] = {"gone", "b.kept", "c.kept", "later"};
    fixture_t *f = *state;
    fixture_t fork = {0};
    for (unsigned i = 0; i < 4; i++) {
        fixture_begin(f);
        for (uint64_t seq = 1; seq <= 10; seq++)
            assert_true(fixture_take(f, names[i], 1, 10 * i + seq, 5));
        assert_rc(fixture_end(f), WEFT_OK);
    }
    assert_rc(weft_store_trim(f->store, 10), WEFT_OK);
    s_fork(f, 25, &fork);
    assert_int_equal(fixture_sql(&fork, "SELECT count(*) FROM types WHERE name = 'later'"), 0);
    assert_int_equal(fixture_sql(&fork, "SELECT max(id) = count(*) FROM types"), 1);
    fixture_begin(&fork);
    assert_true(fixture_take(&fork, "gone", 2, 1, 5) && fixture_take(&fork, "other", 2, 2, 5));
    assert_rc(fixture_end(&fork), WEFT_OK);
    assert_int_equal(fixture_sql(&fork, "SELECT id FROM types WHERE name = 'other'"), 4);
    s_check_rows(&fork, 10, 27);
    fixture_close(&fork);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(origins_are_as_they_were_at_the_cut),
        T(what_the_cut_log_held_is_not_taken_again),
        T(a_cut_where_the_kept_rows_begin_has_no_row),
        T(a_fork_can_be_forked),
        T(a_whole_copy_has_the_origins_unchanged),
        T(an_old_store_is_cut_alike),
        T(a_trim_that_takes_what_tells_of_an_origin_is_named),
        T(damage_beyond_the_cut_counts_until_all_origins_are_known),
        T(an_origin_that_is_missing_is_damage),
        T(origins_of_any_log_are_as_they_were),
        T(a_fork_of_a_log_that_forgot_keeps_the_ids_of_its_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
