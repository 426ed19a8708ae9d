/* The command line: seeds one after the other, each a world of its own. */
#include "sim.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t s_total[SIM_SAW_COUNT];
static uint64_t s_steps_wanted = 5000;
static int64_t s_slowest_ms;

/* ---- one seed */

static void s_new_node(bool publishes, bool subscribes, bool reacts, unsigned set) {
    sim_node_t *n = &w.nodes[w.nodes_count];
    n->index = w.nodes_count++;
    n->used = true;
    n->publishes = publishes;
    n->subscribes = subscribes;
    n->reacts = reacts;
    n->set = set;
    sim_db_new(&n->db);
    sim_node_boot(n);
    if (publishes) sim_at(w.now + (int64_t) sim_below(500), SIM_EMIT, n->index, 0, 0);
}

static void s_open(uint64_t seed) {
    memset(&w, 0, sizeof w);
    w.seed = seed;
    w.random = seed * 0x2545f4914f6cdd1du + 1;
    w.now = 1000000;
    for (unsigned i = 0; i < SIM_BASE_TYPES; i++) sim_type(sim_base_types[i]);
    (void) sim_new_origin(); /* that of stock tools */
    sim_make_profile();
    sim_disk_new(&w.bus.disk);
    sim_at(w.now + (int64_t) sim_below(3000), SIM_BUS_BOOT, 0, 0, 0);
    for (uint64_t i = 1 + sim_below(2); i; i--) s_new_node(true, false, false, 0);
    for (uint64_t i = 1 + sim_below(2); i; i--)
        s_new_node(true, true, true, (unsigned) sim_below(SIM_SETS));
    for (uint64_t i = 1 + sim_below(3); i; i--)
        s_new_node(false, true, false, (unsigned) sim_below(SIM_SETS));
    sim_at(w.now, SIM_FAULT, 0, 0, 0);
}

static void s_close(void) {
    w.healed = true;
    for (unsigned i = 0; i < w.nodes_count; i++) {
        sim_node_crash(&w.nodes[i]);
        weft_buf_free(&w.nodes[i].group);
    }
    sim_bus_crash();
    for (size_t i = 0; i < w.heap_count; i++) sim_release(w.heap[i].frame);
    free(w.heap);
    sim_map_clear(&w.events);
    sim_map_clear(&w.rows);
    sim_free_all();
}

static void s_to_bus(const sim_item_t *item, sim_node_t *n) {
    if (item->channel == SIM_INGEST) n->ingest_waiting--;
    if (item->epoch != n->epoch[1]) {
        SAW(dropped);
        sim_release(item->frame);
    } else if (item->channel == SIM_INGEST) {
        sim_bus_ingest(n->index, item->frame);
    } else if (w.bus.up) {
        sim_control(n, item->channel, item->frame);
        sim_release(item->frame);
    } else if (sim_below(2)) { /* a DEALER's queue outlives the bus */
        sim_requeue(item, w.now + 1 + (int64_t) sim_below(1000));
    } else {
        sim_release(item->frame);
    }
}

static void s_to_node(const sim_item_t *item, sim_node_t *n) {
    bool bounded = item->channel == SIM_LIVE || item->channel == SIM_ACKS;
    bool there = n->up && (item->channel == SIM_PUB || item->channel == SIM_ACKS ? n->pub != NULL
                                                                                 : n->sub != NULL);
    if (!there || item->epoch != n->epoch[0]) {
        sim_release(item->frame);
        return;
    }
    if (bounded && !w.healed && n->queues[item->channel].count >= w.profile.hwm) {
        SAW(live_overflow);
        sim_release(item->frame);
        return;
    }
    if (item->channel == SIM_LIVE && item->frame->topic[0] != '$') {
        char name[24] = "";
        memcpy(name, item->frame->topic, item->frame->topic_size);
        if (!w.types[sim_type(name)].matches[n->set]) SAW(prefix_only);
    }
    sim_trace("receive", n->index, item->channel, item->frame->body_size);
    sim_queue_put(&n->queues[item->channel], item->frame);
    sim_node_run(n);
}

static void s_emit(sim_node_t *n) {
    if (w.healed) return;
    sim_node_emit(n, 1 + (unsigned) sim_below(sim_below(5) ? 3 : 12));
    sim_at(w.now + 1 + (int64_t) sim_below(w.profile.emit_ms * (n->reacts ? 4 : 1)), SIM_EMIT,
           n->index, 0, 0);
}

/* An operator gives a node that refused to go on a new database. */
static void s_rebuild(sim_node_t *n) {
    if (w.healed || w.origins_count == SIM_ORIGINS_MAX) return;
    sim_node_crash(n);
    sim_db_new(&n->db);
    n->has_copy = false;
    sim_node_boot(n);
}

/* False: the item was stale. */
static bool s_step(const sim_item_t *item) {
    sim_bus_t *b = &w.bus;
    sim_node_t *n = &w.nodes[item->node];
    switch (item->kind) {
    case SIM_TO_BUS: s_to_bus(item, n); return true;
    case SIM_TO_NODE: s_to_node(item, n); return true;
    case SIM_WAKE:
        if (item->epoch != n->wake || !n->up) return false;
        n->wake_at = INT64_MIN;
        sim_node_run(n);
        return true;
    case SIM_EMIT: s_emit(n); return true;
    case SIM_BUS_TURN:
    case SIM_BUS_COMMIT:
    case SIM_HEARTBEAT:
        if (!b->up || item->epoch != b->life) return false;
        if (item->kind == SIM_BUS_TURN) sim_bus_turn();
        if (item->kind == SIM_BUS_COMMIT) sim_bus_commit();
        if (item->kind == SIM_HEARTBEAT) sim_bus_heartbeat(item->epoch);
        return true;
    case SIM_BUS_BOOT:
        if (item->epoch != b->life) return false;
        sim_bus_boot();
        return true;
    case SIM_BUS_RESTART:
        if (item->epoch != b->life) return false;
        sim_bus_crash();
        sim_bus_boot();
        return true;
    case SIM_NODE_BOOT:
        if (item->epoch != n->life) return false;
        sim_node_boot(n);
        return true;
    case SIM_REBUILD:
        if (item->epoch != n->life) return false;
        s_rebuild(n);
        return true;
    case SIM_CUT_END:
        n->cut = false;
        sim_node_reconnect(n);
        return true;
    case SIM_DISK_OK:
        b->disk_is_full = false;
        b->disk_slow_ms = 0;
        return true;
    case SIM_CONNECTED:
        if (item->epoch != n->conn || !n->up) return false;
        sim_node_connected(n, item->channel);
        return true;
    case SIM_PATH_CLOSED:
        if (item->epoch != n->conn || !n->up) return false;
        sim_node_path_closed(n);
        return true;
    case SIM_FAULT: sim_fault(); return true;
    case SIM_STOCK: sim_stock(); return true;
    case SIM_NONE: break;
    }
    return false;
}

static bool s_next(void) {
    sim_item_t item;
    if (!sim_pop(&item)) return false;
    if (item.at > w.now) w.now = item.at;
    if (!s_step(&item)) return true;
    w.steps++;
    sim_check_step(item.kind == SIM_BUS_TURN || item.kind == SIM_HEARTBEAT ? NULL
                                                                           : &w.nodes[item.node]);
    return true;
}

static void s_converge(void) {
    int64_t from = w.now;
    while (!sim_converged()) {
        RULE("convergence", w.now - from <= SIM_HEAL_MS && s_next(),
             "not all is well %d ms after the last fault", SIM_HEAL_MS);
    }
    if (w.now - from > s_slowest_ms) s_slowest_ms = w.now - from;
}

static uint64_t s_run(uint64_t seed) {
    s_open(seed);
    while (w.steps < s_steps_wanted && s_next()) continue;
    sim_heal();
    s_converge();
    for (unsigned n = 0; n < 2; n++) { /* whoever is wrong must notice with the next event */
        sim_probe();
        s_converge();
    }
    sim_check_end();
    uint64_t hash = w.hash;
    for (unsigned i = 0; i < SIM_SAW_COUNT; i++) s_total[i] += w.saw[i];
    s_close();
    return hash;
}

/* ---- the command line */

static void s_on_abort(int number) {
    signal(number, SIG_DFL);
    fprintf(stderr, "  stopped by signal %d at seed=%llu step=%llu t=%lld ms\n", number,
            (unsigned long long) w.seed, (unsigned long long) w.steps, (long long) w.now);
    sim_print_last();
    fprintf(stderr, "  again: sim --seed %llu --steps %llu --trace\n", (unsigned long long) w.seed,
            (unsigned long long) s_steps_wanted);
    _exit(1);
}

static int s_usage(FILE *to, int code) {
    fprintf(to, "usage: sim [--seed N] [--seeds COUNT] [--steps N] [--trace] [--hash] [--cover]\n\n"
                "  --seed N       first seed (default 1)\n"
                "  --seeds COUNT  how many, one after the other (default 1)\n"
                "  --steps N      of each seed before all is healed (default 5000)\n"
                "  --trace        print every step\n"
                "  --hash         print the hash of each seed's trace\n"
                "  --cover        print what happened how often; fail if something never did\n");
    return code;
}

static int s_cover(void) {
    static const struct {
        const char *name, *text;
    } names[] = {
#define X(name, text) {#name, text},
        SIM_HAPPENINGS(X)
#undef X
    };
    int missing = 0;
    for (unsigned i = 0; i < SIM_SAW_COUNT; i++) {
        printf("%12llu  %-20s %s\n", (unsigned long long) s_total[i], names[i].name, names[i].text);
        if (s_total[i]) continue;
        fprintf(stderr, "sim: it never happened that %s (%s)\n", names[i].text, names[i].name);
        missing++;
    }
    return missing ? 1 : 0;
}

int main(int argc, char **argv) {
    uint64_t first = 1, count = 1;
    bool hashes = false, cover = false;
    for (int i = 1; i < argc; i++) {
        uint64_t *number = strcmp(argv[i], "--seed") == 0    ? &first
                           : strcmp(argv[i], "--seeds") == 0 ? &count
                           : strcmp(argv[i], "--steps") == 0 ? &s_steps_wanted
                                                             : NULL;
        if (number && i + 1 < argc)
            *number = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--trace") == 0)
            sim_trace_all(true);
        else if (strcmp(argv[i], "--hash") == 0)
            hashes = true;
        else if (strcmp(argv[i], "--cover") == 0)
            cover = true;
        else if (strcmp(argv[i], "--help") == 0)
            return s_usage(stdout, 0);
        else
            return s_usage(stderr, 2);
    }
    signal(SIGABRT, s_on_abort);
    signal(SIGSEGV, s_on_abort);
    for (uint64_t seed = first; seed < first + count; seed++) {
        uint64_t hash = s_run(seed);
        if (hashes)
            printf("seed %llu trace %016llx\n", (unsigned long long) seed,
                   (unsigned long long) hash);
    }
    printf("sim: seeds %llu..%llu, %llu steps each, all rules held; slowest to converge: %lld ms\n",
           (unsigned long long) first, (unsigned long long) (first + count - 1),
           (unsigned long long) s_steps_wanted, (long long) s_slowest_ms);
    return cover ? s_cover() : 0;
}
