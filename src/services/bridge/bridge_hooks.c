/* bridge_hooks: all hooks of a bridge: kept in its database, set by the command line and over HTTP.
 *
 * What hooks have reached is written all together, at most FLUSH_MS after it happened: one sync for many
 * events. */
#include "bridge_hooks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <service_http.h>

#define FLUSH_MS 200u
#define LEAVE_MS \
    2000 /* a clean end waits that long for answers under way, so that nothing comes twice */

struct bridge_hooks {
    bridge_t *bridge;
    http_client_t *client;
    bridge_hook_env_t env;
    bridge_hook_t *hooks[BRIDGE_HOOKS_MAX]; /* by name */
    size_t count;
    int timer;
    bool timed, trouble;
};

size_t bridge_hooks_count(const bridge_hooks_t *self) {
    return self->count;
}

bridge_hook_t *bridge_hooks_at(const bridge_hooks_t *self, size_t index) {
    return self->hooks[index];
}

bridge_t *bridge_hooks_bridge(const bridge_hooks_t *self) {
    return self->bridge;
}

/* Where name is, or belongs. */
static size_t s_place(const bridge_hooks_t *self, const char *name) {
    size_t at = 0;
    while (at < self->count && strcmp(bridge_hook_name(self->hooks[at]), name) < 0) at++;
    return at;
}

bridge_hook_t *bridge_hooks_find(const bridge_hooks_t *self, const char *name) {
    size_t at = s_place(self, name);
    return at < self->count && strcmp(bridge_hook_name(self->hooks[at]), name) == 0
               ? self->hooks[at]
               : NULL;
}

static void s_insert(bridge_hooks_t *self, bridge_hook_t *hook) {
    size_t at = s_place(self, bridge_hook_name(hook));
    memmove(self->hooks + at + 1, self->hooks + at, (self->count - at) * sizeof *self->hooks);
    self->hooks[at] = hook;
    self->count++;
}

/* ---------------------------------------------------------------------------------------------- */
/* Places */

static weft_err_t s_write_places(weft_tx_t *tx, void *arg) {
    bridge_hooks_t *self = arg;
    bridge_hook_row_t row;
    weft_err_t rc = WEFT_OK;
    (void) tx;
    for (size_t i = 0; i < self->count && rc == WEFT_OK; i++) {
        if (!bridge_hook_dirty(self->hooks[i])) continue;
        bridge_hook_row(self->hooks[i], &row);
        rc = bridge_hook_store_place(self->env.db, &row);
    }
    return rc;
}

static bool s_any_dirty(const bridge_hooks_t *self) {
    for (size_t i = 0; i < self->count; i++)
        if (bridge_hook_dirty(self->hooks[i])) return true;
    return false;
}

/* What could not be written is written at the next turn. */
static void s_flush(void *arg) {
    bridge_hooks_t *self = arg;
    if (!s_any_dirty(self)) return;
    weft_err_t rc = weft_service_transaction(self->env.service, s_write_places, self);
    for (size_t i = 0; i < self->count && rc == WEFT_OK; i++) bridge_hook_written(self->hooks[i]);
    if (rc != WEFT_OK && !self->trouble)
        weft_diag(WEFT_DIAG_ERROR, "hooks.places", "error=%s", weft_err_name(rc));
    self->trouble = rc != WEFT_OK;
}

/* ---------------------------------------------------------------------------------------------- */
/* Adding, changing, removing */

typedef struct {
    sqlite3 *db;
    const bridge_hook_row_t *row;
} putting_t;

static weft_err_t s_put(weft_tx_t *tx, void *arg) {
    const putting_t *putting = arg;
    (void) tx;
    return bridge_hook_store_put(putting->db, putting->row);
}

static weft_err_t s_store(bridge_hooks_t *self, bridge_hook_row_t *row,
                          const bridge_hook_spec_t *spec) {
    json_t *json = bridge_hook_spec_json(spec);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    putting_t putting = {self->env.db, row};
    json_decref(json);
    row->spec = text;
    weft_err_t rc = text ? weft_service_transaction(self->env.service, s_put, &putting)
                         : WEFT_E_NOMEM;
    row->spec = NULL;
    free(text);
    return rc;
}

static weft_err_t s_add(bridge_hooks_t *self, const char *name, bridge_hook_spec_t *spec,
                        const bridge_start_t *start) {
    bridge_hook_t *hook = NULL;
    bridge_hook_row_t row = {.name = name, .start = *start};
    if (start->kind == WEFT_START_RESUME) row.start.kind = WEFT_START_BEGINNING;
    if (start->kind == WEFT_START_RESUME && spec->mode == BRIDGE_MODE_COURSE)
        row.start.kind = WEFT_START_NOW;
    if (self->count == BRIDGE_HOOKS_MAX) return WEFT_E_FULL;
    weft_err_t rc = s_store(self, &row, spec);
    if (rc == WEFT_OK) rc = bridge_hook_new(&hook, &self->env, spec, &row);
    if (rc != WEFT_OK) return rc;
    s_insert(self, hook);
    bridge_hook_go(hook);
    return WEFT_OK;
}

static weft_err_t s_change(bridge_hooks_t *self, bridge_hook_t *hook, bridge_hook_spec_t *spec,
                           const bridge_start_t *start) {
    bridge_hook_row_t row;
    bridge_hook_row(hook, &row);
    if (start->kind != WEFT_START_RESUME) {
        row.start = *start;
        row.placed = false;
    }
    weft_err_t rc = s_store(self, &row, spec);
    if (rc == WEFT_OK) bridge_hook_change(hook, spec, start);
    return rc;
}

weft_err_t bridge_hooks_put(bridge_hooks_t *self, const char *name, const json_t *json,
                            bool restart, bool *created, const char **field, char *reason) {
    bridge_hook_t *hook = bridge_hooks_find(self, name);
    bridge_hook_spec_t spec;
    bridge_start_t start;
    *created = !hook;
    weft_err_t rc = bridge_hook_spec_read(&spec, &start, hook ? bridge_hook_spec(hook) : NULL, json,
                                          field, reason);
    if (hook && !restart) start.kind = WEFT_START_RESUME;
    if (rc == WEFT_OK)
        rc = hook ? s_change(self, hook, &spec, &start) : s_add(self, name, &spec, &start);
    bridge_hook_spec_clear(&spec);
    return rc;
}

typedef struct {
    sqlite3 *db;
    const char *name;
    uint64_t position, count;
} removing_t;

static weft_err_t s_delete(weft_tx_t *tx, void *arg) {
    const removing_t *removing = arg;
    (void) tx;
    return bridge_hook_store_delete(removing->db, removing->name);
}

weft_err_t bridge_hooks_remove(bridge_hooks_t *self, const char *name) {
    size_t at = s_place(self, name);
    removing_t removing = {.db = self->env.db, .name = name};
    if (!bridge_hooks_find(self, name)) return WEFT_E_NOT_FOUND;
    weft_err_t rc = weft_service_transaction(self->env.service, s_delete, &removing);
    if (rc != WEFT_OK) return rc;
    bridge_hook_destroy(&self->hooks[at]);
    self->count--;
    memmove(self->hooks + at, self->hooks + at + 1, (self->count - at) * sizeof *self->hooks);
    return WEFT_OK;
}

static weft_err_t s_unpark(weft_tx_t *tx, void *arg) {
    removing_t *removing = arg;
    (void) tx;
    return bridge_hook_store_unpark(removing->db, removing->name, removing->position,
                                    &removing->count);
}

weft_err_t bridge_hooks_unpark(bridge_hooks_t *self, const char *name, uint64_t position,
                               uint64_t *count) {
    removing_t removing = {.db = self->env.db, .name = name, .position = position};
    weft_err_t rc = weft_service_transaction(self->env.service, s_unpark, &removing);
    *count = removing.count;
    return rc;
}

/* ---------------------------------------------------------------------------------------------- */
/* Beginning */

static weft_err_t s_load(const bridge_hook_row_t *row, void *arg) {
    bridge_hooks_t *self = arg;
    bridge_hook_t *hook = NULL;
    bridge_hook_spec_t spec = {0};
    bridge_start_t start;
    const char *field;
    char reason[BRIDGE_HOOK_REASON_BYTES] = "";
    json_t *json = json_loads(row->spec, 0, NULL);
    weft_err_t rc = self->count < BRIDGE_HOOKS_MAX ? WEFT_OK : WEFT_E_FULL;
    if (rc == WEFT_OK) rc = bridge_hook_spec_read(&spec, &start, NULL, json, &field, reason);
    if (rc == WEFT_OK) rc = bridge_hook_new(&hook, &self->env, &spec, row);
    if (rc == WEFT_OK)
        s_insert(self, hook);
    else
        weft_diag(WEFT_DIAG_ERROR, "hooks.load", "hook=%s error=%s reason=\"%s\"", row->name,
                  weft_err_name(rc), reason);
    bridge_hook_spec_clear(&spec);
    json_decref(json);
    return rc;
}

static weft_err_t s_take_word(bridge_hooks_t *self, const char *word) {
    char name[BRIDGE_HOOK_NAME_CHARS_MAX + 1], reason[BRIDGE_HOOK_REASON_BYTES] = "";
    const char *field = NULL;
    bool created;
    json_t *json = bridge_hook_word_read(word, name, reason);
    weft_err_t rc = json ? bridge_hooks_put(self, name, json, false, &created, &field, reason)
                         : WEFT_E_ARG;
    json_decref(json);
    if (rc != WEFT_E_ARG) return rc;
    fprintf(stderr, "weft-bridge: --hook '%s': %s; try weft-bridge --help\n", word, reason);
    return WEFT_E_USAGE;
}

/* The library has parsed argv already and kept the last --hook alone. */
static weft_err_t s_take_words(bridge_hooks_t *self, int argc, char **argv) {
    weft_err_t rc = WEFT_OK;
    for (int i = 1; i < argc && rc == WEFT_OK; i++) {
        if (strncmp(argv[i], "--hook=", 7) == 0)
            rc = s_take_word(self, argv[i] + 7);
        else if (strcmp(argv[i], "--hook") == 0 && i + 1 < argc)
            rc = s_take_word(self, argv[++i]);
    }
    return rc;
}

weft_err_t bridge_hooks_new(bridge_hooks_t **out, bridge_t *bridge, int argc, char **argv) {
    bridge_hooks_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    self->bridge = bridge;
    http_loop_t loop = service_http_loop(bridge->service);
    weft_err_t rc = http_client_new(&self->client, &loop,
                                    &(http_client_config_t){.kept_max = 2 * BRIDGE_HOOKS_MAX});
    self->env = (bridge_hook_env_t){bridge->service, bridge->db, self->client, bridge->names};
    if (rc == WEFT_OK) rc = bridge_hook_store_each(self->env.db, s_load, self);
    if (rc == WEFT_OK) rc = s_take_words(self, argc, argv);
    for (size_t i = 0; i < self->count && rc == WEFT_OK; i++) bridge_hook_go(self->hooks[i]);
    if (rc == WEFT_OK)
        rc = weft_service_timer(bridge->service, FLUSH_MS, 0, s_flush, self, &self->timer);
    self->timed = rc == WEFT_OK;
    if (rc == WEFT_OK) {
        bridge_hooks_routes(self);
        *out = self;
        self = NULL;
    }
    bridge_hooks_destroy(&self);
    return rc;
}

static int64_t s_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void s_leave(bridge_hooks_t *self) {
    int64_t end_ms = s_now_ms() + LEAVE_MS;
    for (size_t i = 0; i < self->count; i++) bridge_hook_end(self->hooks[i]);
    while (http_client_calls(self->client) && s_now_ms() < end_ms)
        http_client_wait(self->client, 50);
    s_flush(self);
}

void bridge_hooks_destroy(bridge_hooks_t **self_p) {
    bridge_hooks_t *self = *self_p;
    if (!self) return;
    if (self->timed) weft_service_timer_end(self->bridge->service, self->timer);
    if (self->timed) s_leave(self);
    for (size_t i = 0; i < self->count; i++) bridge_hook_destroy(&self->hooks[i]);
    http_client_destroy(&self->client);
    free(self);
    *self_p = NULL;
}
