/* How bad this seed's world is, and what goes wrong in it. */
#include "sim.h"

#include <string.h>

enum {
    BUS_CRASH = 1,
    NODE_CRASH = 2,
    CUT = 4,
    STALL = 8,
    DISK_FULL = 16,
    DISK_FAILS = 32,
    DISK_SLOW = 64,
    CLOCK_BACK = 128,
    HALF_OPEN = 256,
    JUNK = 512,
    BURST = 1024,
    MANY_TYPES = 2048,
    RESTORE_NODE = 4096,
    TWIN = 8192,
    RESTORE_BUS = 16384,
    REPLACE_BUS = 32768,
    TRIM = 65536,
    FAULTS = 17
};

static unsigned s_up_to(unsigned limit) { /* often nothing, sometimes much */
    return sim_below(3) ? (unsigned) sim_below(limit) : 0;
}

void sim_make_profile(void) {
    sim_profile_t *p = &w.profile;
    p->drop = s_up_to(120);
    p->doubled = s_up_to(60);
    p->reorder = s_up_to(80);
    p->control_drop = s_up_to(200);
    p->delay_ms = 1 + (unsigned) sim_below(sim_below(4) ? 40 : 2500);
    p->hwm = 4 + (unsigned) sim_below(sim_below(2) ? 40 : 1000);
    p->page_rows = 1 + (unsigned) sim_below(sim_below(2) ? 20 : 500);
    p->big = s_up_to(8);
    p->rollback = s_up_to(100);
    p->settle = (unsigned) sim_below(sim_below(2) ? 10 : 300);
    p->emit_ms = 20 + (unsigned) sim_below(sim_below(2) ? 100 : 1500);
    p->fault_ms = 50 + (unsigned) sim_below(sim_below(3) ? 2500 : 500);
    p->apply_ms = s_up_to(300);
    for (unsigned i = 0; i < FAULTS; i++)
        if (!sim_below(1u << i >= RESTORE_NODE ? 5 : 2)) p->faults |= 1u << i;
}

static sim_node_t *s_any_node(void) {
    return &w.nodes[sim_below(w.nodes_count)];
}

static void s_restart_node(sim_node_t *n, unsigned after_ms) {
    sim_node_crash(n);
    sim_at(w.now + (int64_t) sim_below(after_ms), SIM_NODE_BOOT, n->index, 0, n->life);
}

/* Nothing that was under way from the old bus is heard after its store was exchanged: that takes
 * longer than what is under way. */
static void s_exchange_store(const sim_disk_t *disk) {
    sim_bus_t *b = &w.bus;
    sim_bus_crash();
    if (disk)
        sim_disk_copy(&b->disk, disk);
    else
        sim_disk_new(&b->disk);
    for (unsigned i = 0; i < w.nodes_count; i++) {
        w.nodes[i].epoch[0]++;
        sim_queue_clear(&w.nodes[i].queues[SIM_ACKS]);
    }
    sim_at(w.now + 500 + (int64_t) sim_below(5000), SIM_BUS_BOOT, 0, 0, b->life);
}

static void s_twin(sim_node_t *n) {
    if (w.nodes_count == SIM_NODES_MAX || !n->pub) return;
    sim_node_t *twin = &w.nodes[w.nodes_count];
    memset(twin, 0, sizeof *twin);
    twin->index = w.nodes_count++;
    twin->used = true;
    twin->publishes = n->publishes;
    twin->subscribes = n->subscribes;
    twin->reacts = n->reacts;
    twin->set = n->set;
    sim_db_copy(&twin->db, &n->db);
    w.tainted[n->db.origin] = true;
    SAW(twin_made);
    sim_at(w.now, SIM_EMIT, twin->index, 0, 0);
    sim_node_boot(twin);
}

static void s_restore_node(sim_node_t *n) {
    if (!n->has_copy || sim_below(3) || n->copy.origin != n->db.origin) {
        sim_db_copy(&n->copy, &n->db);
        n->has_copy = true;
        return;
    }
    SAW(node_restored);
    sim_node_crash(n);
    sim_db_copy(&n->db, &n->copy);
    w.tainted[n->db.origin] = true;
    sim_at(w.now + 100, SIM_NODE_BOOT, n->index, 0, n->life);
}

static void s_restore_bus(void) {
    sim_bus_t *b = &w.bus;
    if (!b->has_copy || sim_below(4)) {
        if (sim_below(2)) return;
        sim_disk_copy(&b->copy, &b->disk);
        b->has_copy = true;
        return;
    }
    SAW(bus_restored);
    w.restored = true;
    sim_trace("restore", SIM_NODES_MAX, b->copy.count, b->disk.count);
    s_exchange_store(&b->copy);
}

/* Without a word to those who are not that far yet. */
static void s_trim(void) {
    sim_disk_t *disk = &w.bus.disk;
    if (!w.bus.up || w.bus.has_after || sim_below(3) || disk->first == disk->count) return;
    SAW(trimmed);
    w.trimmed = true;
    disk->first += 1 + sim_below(disk->count - disk->first);
    sim_trace("trim", SIM_NODES_MAX, disk->first, disk->count);
}

static void s_cut(sim_node_t *n) {
    if (n->cut) return;
    SAW(cut);
    n->cut = true;
    sim_trace("cut", n->index, 0, 0);
    n->epoch[0]++;
    n->epoch[1]++;
    sim_node_disconnect(n, true);
    sim_at(w.now + (int64_t) sim_below(sim_below(2) ? 500 : 9000), SIM_CUT_END, n->index, 0, 0);
}

static void s_burst(sim_node_t *n) {
    sim_node_emit(n, sim_below(60) ? 20 + (unsigned) sim_below(200) : WEFT_WINDOW_EVENTS_MAX + 50);
}

void sim_fault(void) {
    sim_bus_t *b = &w.bus;
    sim_node_t *n = s_any_node();
    uint32_t kind = 1u << sim_below(FAULTS);
    if (w.healed || !w.profile.faults) return;
    sim_at(w.now + 1 + (int64_t) sim_below(2 * w.profile.fault_ms), SIM_FAULT, 0, 0, 0);
    while (!(w.profile.faults & kind)) kind = 1u << sim_below(FAULTS);
    sim_trace("fault", kind < NODE_CRASH ? SIM_NODES_MAX : n->index, kind, 0);
    switch (kind) {
    case BUS_CRASH:
        if (!b->up) break;
        sim_bus_crash();
        sim_at(w.now + (int64_t) sim_below(sim_below(2) ? 300 : 9000), SIM_BUS_BOOT, 0, 0, b->life);
        break;
    case NODE_CRASH:
        SAW(node_crash);
        s_restart_node(n, 4000);
        break;
    case CUT: s_cut(n); break;
    case STALL:
        SAW(stall);
        n->stalled_until = w.now + (int64_t) sim_below(8000);
        sim_at(n->stalled_until, SIM_WAKE, n->index, 0, ++n->wake);
        n->wake_at = n->stalled_until;
        break;
    case DISK_FULL:
        b->disk_is_full = true;
        sim_at(w.now + (int64_t) sim_below(6000), SIM_DISK_OK, 0, 0, 0);
        break;
    case DISK_FAILS: b->disk_fails = true; break;
    case DISK_SLOW:
        b->disk_slow_ms = sim_below(2) ? 10 : 1500;
        sim_at(w.now + (int64_t) sim_below(6000), SIM_DISK_OK, 0, 0, 0);
        break;
    case CLOCK_BACK:
        SAW(clock_back);
        b->clock_us -= (int64_t) sim_below(3600000000);
        break;
    case HALF_OPEN:
        if (n->connected[SIM_LIVE]) SAW(half_open);
        n->half_open = n->connected[SIM_LIVE];
        break;
    case JUNK: sim_stock(); break;
    case BURST: s_burst(n); break;
    case MANY_TYPES: sim_node_emit(n, 2); break;
    case RESTORE_NODE: s_restore_node(n); break;
    case TWIN: s_twin(n); break;
    case RESTORE_BUS: s_restore_bus(); break;
    case REPLACE_BUS:
        if (sim_below(4)) break;
        SAW(bus_replaced);
        w.replaced = true;
        s_exchange_store(NULL);
        break;
    case TRIM: s_trim(); break;
    default: break;
    }
}

void sim_heal(void) {
    sim_bus_t *b = &w.bus;
    sim_trace("heal", SIM_NODES_MAX, b->disk.count, 0);
    w.healed = true;
    b->disk_is_full = b->disk_fails = false;
    b->disk_slow_ms = 0;
    if (b->up && b->trouble == WEFT_E_IO) sim_bus_crash();
    sim_bus_boot();
    for (unsigned i = 0; i < w.nodes_count; i++) {
        sim_node_t *n = &w.nodes[i];
        n->cut = false; /* a connection that died without a word is the node's own to notice */
        n->stalled_until = 0;
        sim_node_boot(n);
        sim_node_reconnect(n);
        sim_node_run(n);
    }
}

void sim_probe(void) {
    for (unsigned i = 0; i < w.nodes_count; i++) sim_node_emit(&w.nodes[i], 1);
}
