/* sim: a whole mesh in one process: the pure state machines of src/proto, one virtual clock, one seed.
 *
 * sim_world.c has clock, random numbers, links and the trace; sim_bus.c the bus around
 * weft_sequencer with a disk; sim_control.c its control socket; sim_node.c publishers, services and
 * subscribers around weft_publisher and weft_subscriber with a database; sim_faults.c what goes
 * wrong; sim_rules.c what must hold after every step; main.c the command line.
 *
 * All that is durable is kept apart from what a crash takes away. Rows that ever were durable form
 * a tree (a restored store branches it); a reader stands on a node of the tree. */
#ifndef SIM_H
#define SIM_H

#include "weft_checksum.h"
#include "weft_control.h"
#include "weft_limits.h"
#include "weft_publisher.h"
#include "weft_sequencer.h"
#include "weft_subscriber.h"

#define SIM_NODES_MAX 10
#define SIM_ORIGINS_MAX 256
#define SIM_TYPES_MAX 640
#define SIM_SETS 6       /* sets of filters */
#define SIM_BASE_TYPES 6 /* the last of them is what handlers emit */
#define SIM_HEAL_MS 90000

/* What must have happened over some hundred seeds; else the simulator has stopped to test it. */
#define SIM_HAPPENINGS(X)                                                    \
    X(live_gap, "a subscriber found a gap and pulled")                       \
    X(live_overflow, "a live queue was full and dropped in silence")         \
    X(unread_joined, "live messages waited while a subscriber caught up")    \
    X(prefix_only, "a topic that only ZeroMQ's prefix matches arrived")      \
    X(big_event, "an event above the live limit was stored")                 \
    X(boot_change, "a live subscriber heard of another boot")                \
    X(silence, "a subscriber renewed its live socket after silence")         \
    X(half_open, "a live connection died without a word")                    \
    X(page_more, "a page ended before the head")                             \
    X(page_empty, "a page held nothing and still moved on")                  \
    X(page_ahead, "a page was asked for before the one in hand was read")    \
    X(late_reply, "a reply came that nobody waited for")                     \
    X(request_lost, "a request or reply on the control socket was lost")     \
    X(request_doubled, "a request or reply was doubled")                     \
    X(reordered, "a message overtook others of its connection")              \
    X(doubled, "an event, record or ack was doubled")                        \
    X(dropped, "an event, record or ack was lost")                           \
    X(cut, "a connection was cut")                                           \
    X(stall, "a node stood still")                                           \
    X(ingest_duplicate, "the bus dropped a double")                          \
    X(ingest_gap, "the bus dropped an event without its predecessor")        \
    X(ingest_junk, "the bus dropped junk")                                   \
    X(fire_and_forget, "an event without sequence was stored")               \
    X(batch_full, "a batch was full")                                        \
    X(batch_types_full, "a batch had no room for one more type")             \
    X(disk_full, "a commit failed on a full disk")                           \
    X(disk_failed, "a commit failed for good")                               \
    X(disk_slow, "a commit took long")                                       \
    X(surfaced, "a failed commit was there after the restart")               \
    X(not_accepting, "a publisher was told that the bus takes nothing")      \
    X(crash_lost, "the bus crashed and lost an unsynced batch")              \
    X(crash_kept, "the bus crashed after the commit, before publishing")     \
    X(crash_publishing, "the bus crashed between publish and acks")          \
    X(clock_back, "the clock of the bus went back")                          \
    X(blocked, "ingest was full and a publisher waited")                     \
    X(window_full, "a publisher stood at the end of its window")             \
    X(resent, "a publisher sent again")                                      \
    X(lost_ack, "a publisher heard by WELCOME of events whose ack was lost") \
    X(proving, "a publisher had to prove what an earlier life had sent")     \
    X(node_crash, "a node crashed")                                          \
    X(transaction_lost, "a node crashed before its COMMIT")                  \
    X(transaction_kept, "a node crashed just after its COMMIT")              \
    X(rolled_back, "a handler failed and its transaction was taken back")    \
    X(node_restored, "a service's database was restored from an old copy")   \
    X(twin_made, "two nodes ran from copies of one database")                \
    X(bus_restored, "the store was restored from an old copy")               \
    X(bus_replaced, "the store was replaced by a new one")                   \
    X(trimmed, "the log forgot its oldest events")                           \
    X(began_later, "a new reader began at what the log still kept")          \
    X(bus_behind, "a publisher sent again what a restored log had lost")     \
    X(stop_twin, "a publisher refused: TWIN")                                \
    X(stop_bus_lost, "a publisher refused: BUS_LOST")                        \
    X(stop_pub_other_log, "a publisher refused: OTHER_LOG")                  \
    X(stop_other_log, "a subscriber refused: OTHER_LOG")                     \
    X(stop_log_behind, "a subscriber refused: LOG_BEHIND")                   \
    X(stop_gone, "a subscriber refused: GONE")                               \
    X(stop_forked, "a subscriber refused: FORKED")

#define X(name, text) SIM_SAW_##name,
typedef enum { SIM_HAPPENINGS(X) SIM_SAW_COUNT } sim_saw_t;
#undef X
#define SAW(name) (w.saw[SIM_SAW_##name]++)

/* ---- what is durable */

typedef struct {
    uint8_t *bytes;
    size_t size;
    uint64_t hash;
    unsigned type;
    unsigned origin;
    uint64_t seq, cause;
    bool committed; /* the COMMIT of its outbox returned */
    bool stored;    /* ever in a log */
} sim_event_t;

typedef struct sim_row sim_row_t;
struct sim_row {
    sim_row_t *prev;
    uint64_t position, chain, checksum;
    int64_t stored_us;
    sim_event_t *event;
    uint64_t seen[SIM_SETS]; /* hash of a reader's effects who stands here; 0: none has */
};

typedef struct {
    uint64_t last, position, chain;
} sim_origin_t;

typedef struct {
    weft_uuid_t log;
    sim_row_t **rows; /* of positions 1, 2, 3 … */
    size_t count, capacity;
    uint64_t first; /* rows up to here are forgotten */
    sim_origin_t origins[SIM_ORIGINS_MAX];
    bool types[SIM_TYPES_MAX];
} sim_disk_t;

/* A node's database. events are all that were ever committed; those below oldest are deleted. */
typedef struct {
    sim_row_t *at; /* NULL: position 0 */
    weft_resume_t place;
    uint64_t began; /* where it started to read: what came before was forgotten */
    uint64_t effects, effects_hash;
    unsigned origin;
    sim_event_t **events;
    size_t count, capacity;
    uint64_t chain; /* of the origin, over all events */
    uint64_t oldest, acked, acked_chain;
    weft_uuid_t log;
} sim_db_t;

/* ---- messages */

typedef enum { SIM_PUB, SIM_SUB, SIM_INGEST, SIM_ACKS, SIM_LIVE, SIM_CHANNELS } sim_channel_t;

typedef struct {
    unsigned refs;
    size_t topic_size, body_size, page_size;
    uint8_t *topic, *body, *page; /* behind this struct */
} sim_frame_t;

typedef struct {
    sim_frame_t **items;
    size_t first, count, capacity;
} sim_queue_t;

typedef enum {
    SIM_NONE,
    SIM_TO_BUS,
    SIM_TO_NODE,
    SIM_WAKE,
    SIM_EMIT,
    SIM_BUS_TURN,
    SIM_BUS_COMMIT,
    SIM_HEARTBEAT,
    SIM_FAULT,
    SIM_BUS_BOOT,
    SIM_BUS_RESTART,
    SIM_NODE_BOOT,
    SIM_REBUILD,
    SIM_CUT_END,
    SIM_DISK_OK,
    SIM_CONNECTED, /* a channel of a node */
    SIM_PATH_CLOSED,
    SIM_STOCK
} sim_kind_t;

typedef struct {
    int64_t at;
    uint64_t serial;
    sim_kind_t kind;
    unsigned node;
    sim_channel_t channel;
    uint64_t epoch; /* stale if the node, the bus or the connection has moved on */
    sim_frame_t *frame;
} sim_item_t;

/* ---- the nodes */

typedef struct {
    unsigned index;
    bool used, up, publishes, subscribes, reacts, cut;
    unsigned set; /* of filters */
    sim_db_t db, copy;
    bool has_copy;
    weft_publisher_t *pub;
    weft_subscriber_t *sub;
    sim_queue_t queues[SIM_CHANNELS];
    uint64_t life, conn; /* crashes; connections made or lost */
    uint64_t epoch[2];   /* messages lost under way, to the node and to the bus */
    sim_row_t *at;       /* in memory: beyond db.at it has passed nothing of interest */
    weft_resume_t place;
    uint64_t wake;
    int64_t wake_at;
    bool connected[SIM_CHANNELS], wanted[SIM_CHANNELS];
    bool half_open;
    int64_t last_at[2][SIM_CHANNELS];
    uint64_t ingest_waiting;
    int64_t stalled_until, apply_at;
    weft_batch_t batch;
    bool busy;
    weft_buf_t group;
    unsigned group_type;
    uint64_t group_first;
    /* for the rules */
    bool pub_welcomed;
    uint64_t pub_last; /* WELCOME's word, until the first event after it; UINT64_MAX: used */
    uint64_t sub_boot, began;
    bool taken;              /* anything, since it started */
    uint64_t pub_id, sub_id; /* of the last request; 0: answered */
    uint64_t resent, gaps, acked;
    weft_err_t pub_stopped, sub_stopped;
} sim_node_t;

typedef struct {
    bool up, committing, has_copy, has_after;
    uint64_t boot, life;
    sim_disk_t disk, copy;
    sim_disk_t after; /* what a restart finds, if it is not disk */
    weft_sequencer_t *sequencer;
    sim_queue_t ingest;
    sim_frame_t *in_hand;
    weft_mp_t cursor;
    sim_frame_t **kept;
    size_t kept_count, kept_capacity;
    weft_err_t trouble;
    bool turn_due, disk_is_full, disk_fails;
    int64_t disk_slow_ms, clock_us, record_due;
    uint64_t items; /* handed to the sequencer in this boot */
    size_t pending; /* rows of a batch that is under way to the disk */
} sim_bus_t;

typedef struct {
    char name[24];
    size_t size;
    uint64_t hash;
    bool matches[SIM_SETS], prefix[SIM_SETS]; /* exactly; by ZeroMQ's prefix alone */
} sim_type_t;

/* How bad this seed's world is, per mille and milliseconds. */
typedef struct {
    unsigned drop, doubled, reorder, control_drop, delay_ms, hwm, page_rows, big, rollback, settle;
    unsigned emit_ms, fault_ms, apply_ms;
    uint32_t faults; /* a bit for each kind */
} sim_profile_t;

typedef struct {
    uint64_t *keys;
    void **values;
    size_t capacity, count;
} sim_map_t;

typedef struct {
    uint64_t seed, random, serial, steps, hash;
    int64_t now;
    bool healed;
    sim_profile_t profile;
    sim_bus_t bus;
    sim_node_t nodes[SIM_NODES_MAX];
    unsigned nodes_count;
    bool tainted[SIM_ORIGINS_MAX]; /* its database was restored or copied */
    unsigned origins_count;
    sim_type_t types[SIM_TYPES_MAX];
    unsigned types_count;
    bool restored, replaced, trimmed;
    sim_map_t events; /* by hash of the bytes */
    sim_map_t rows;   /* by chain */
    sim_item_t *heap;
    size_t heap_count, heap_capacity;
    uint64_t saw[SIM_SAW_COUNT];
} sim_world_t;

extern sim_world_t w;
extern const char *const sim_filters[SIM_SETS][3];
extern const char *const sim_base_types[SIM_BASE_TYPES];

/* ---- sim_world.c */

uint64_t sim_random(void);
uint64_t sim_below(uint64_t limit);
bool sim_chance(unsigned permille); /* false once healed */
void *sim_alloc(size_t size);       /* zeroed, until the seed ends */
void sim_free_all(void);
void *sim_map_get(const sim_map_t *map, uint64_t key);
void sim_map_put(sim_map_t *map, uint64_t key, void *value);
void sim_map_clear(sim_map_t *map);

sim_frame_t *sim_frame(const void *topic, size_t topic_size, const weft_buf_t *body,
                       const weft_buf_t *page);
sim_frame_t *sim_hold(sim_frame_t *frame);
void sim_release(sim_frame_t *frame);
void sim_queue_put(sim_queue_t *queue, sim_frame_t *frame);
sim_frame_t *sim_queue_take(sim_queue_t *queue); /* NULL: empty */
void sim_queue_clear(sim_queue_t *queue);

void sim_at(int64_t at, sim_kind_t kind, unsigned node, sim_channel_t channel, uint64_t epoch);
/* Put a frame on its way; takes the reference. */
void sim_post(sim_node_t *node, bool to_bus, sim_channel_t channel, sim_frame_t *frame);
void sim_requeue(const sim_item_t *item, int64_t at);
bool sim_pop(sim_item_t *item);

void sim_trace(const char *what, unsigned node, uint64_t a, uint64_t b);
void sim_trace_all(bool on);
void sim_print_last(void);
void sim_fail(const char *rule, const char *file, int line, const char *format, ...)
    WEFT_PRINTF(4, 5);
#define RULE(rule, condition, ...)                                         \
    do {                                                                   \
        if (!(condition)) sim_fail(rule, __FILE__, __LINE__, __VA_ARGS__); \
    } while (0)

/* ---- sim_bus.c */

void sim_bus_boot(void);
void sim_bus_crash(void);
void sim_bus_turn(void);
void sim_bus_commit(void);
void sim_bus_heartbeat(uint64_t boot);
void sim_bus_ingest(unsigned node, sim_frame_t *frame);
void sim_disk_copy(sim_disk_t *to, const sim_disk_t *from);
void sim_disk_new(sim_disk_t *disk);
void sim_stock(void); /* a stock tool sends fire-and-forget events and junk */

/* ---- sim_control.c */

void sim_control(sim_node_t *node, sim_channel_t channel, const sim_frame_t *frame);

/* ---- sim_node.c */

unsigned sim_new_origin(void);
sim_event_t *sim_event(unsigned origin, uint64_t seq, unsigned type, size_t size, uint64_t cause);
void sim_db_new(sim_db_t *db);
void sim_db_copy(sim_db_t *to, const sim_db_t *from);
void sim_node_boot(sim_node_t *node);
void sim_node_crash(sim_node_t *node);
void sim_node_run(sim_node_t *node);
void sim_node_emit(sim_node_t *node, unsigned count);
void sim_node_connected(sim_node_t *node, sim_channel_t channel);
void sim_node_path_closed(sim_node_t *node);
void sim_node_reconnect(sim_node_t *node);
void sim_node_disconnect(sim_node_t *node, bool lose);
unsigned sim_type(const char *name);
void sim_uuid(uint8_t uuid[16], unsigned origin);

/* ---- sim_faults.c */

void sim_make_profile(void);
void sim_fault(void);
void sim_heal(void);
void sim_probe(void); /* each publisher that runs emits one more event */

/* ---- sim_rules.c */

void sim_check_step(sim_node_t *node); /* after every step; node may be NULL */
/* The bus hands this out: is it durable and true? */
void sim_check_live(const sim_frame_t *frame);
void sim_check_record(const sim_frame_t *frame);
void sim_check_ack(const weft_ack_t *ack, unsigned origin);
/* A row becomes durable on disk. */
void sim_check_row(const sim_disk_t *disk, const sim_row_t *row);
/* A node applies a batch; returns the row it stands on then. */
sim_row_t *sim_check_batch(const sim_node_t *node, const weft_batch_t *batch);
void sim_check_effects(sim_node_t *node);
bool sim_converged(void);
void sim_check_end(void);

#endif
