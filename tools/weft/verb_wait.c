/* weft wait: until a service has applied all up to an event, by what it reports to the bus. */
#include "weft_verb.h"

#include "weft_options.h"
#include "weft_os.h"
#include "weft_out.h"
#include "weft_state.h"
#include "weft_stop.h"

#include <inttypes.h>
#include <poll.h>
#include <string.h>

#define ANSWER_MS 100 /* the bus gets so long, whatever --timeout says */
#define LOOK_MS 50    /* between two questions; a service that moves reports ten times a second */

typedef struct {
    weft_args_t args;
    weft_ask_t ask;
    const char *service;
    bool by_origin, placed; /* placed: target is known */
    weft_after_t after;
    uint64_t target;
    bool seen; /* the service has reported to this bus */
    uint64_t position;
    int64_t end_ms;
} weft_wait_run_t;

static int s_left(const weft_wait_run_t *self) {
    int64_t left = self->end_ms - weft_os_monotonic_ms();
    return left > 0 ? (int) left : 0;
}

/* Where the event lies: known for a position, else once the bus has it. */
static weft_err_t s_place(weft_wait_run_t *self) {
    weft_welcome_t welcome;
    weft_origin_state_t state = {0};
    if (self->placed) return WEFT_OK;
    weft_err_t rc = weft_ask_origin(&self->ask, self->args.timeout_ms,
                                    self->by_origin ? &self->after.origin : NULL, &welcome, &state);
    if (rc != WEFT_OK) return rc;
    self->placed = !self->by_origin || state.last >= self->after.sequence.value;
    self->target = self->by_origin ? state.position : welcome.head;
    return WEFT_OK;
}

static void s_find(weft_wait_run_t *self, const json_t *state) {
    const json_t *services = json_object_get(state, "services"), *service;
    size_t i;
    json_array_foreach(services, i, service) {
        if (strcmp(weft_json_text(service, "name"), self->service) != 0) continue;
        self->seen = true;
        self->position = (uint64_t) weft_json_int(service, "position");
        if (!json_array_size(json_object_get(service, "filters")))
            self->position = UINT64_MAX; /* it only publishes: nothing is missing there */
    }
}

static bool s_there(const weft_wait_run_t *self) {
    return self->placed && self->seen && self->position >= self->target;
}

/* Ask once; the bus may be away for as long as there is time. */
static weft_err_t s_look(weft_wait_run_t *self) {
    json_t *state;
    self->args.timeout_ms = s_left(self) > ANSWER_MS ? s_left(self) : ANSWER_MS;
    weft_err_t rc = s_place(self);
    if (rc != WEFT_OK) return weft_ask_failed(&self->ask, &self->args, rc);
    rc = weft_state_reports(&self->ask, &self->args, &state);
    if (rc != WEFT_OK) return rc;
    s_find(self, state);
    json_decref(state);
    return WEFT_OK;
}

static weft_err_t s_missed(const weft_wait_run_t *self) {
    const weft_verb_t *verb = self->args.verb;
    if (!self->placed)
        return weft_say(verb, WEFT_E_TIMEOUT, "the bus does not have that event yet");
    if (!self->seen)
        return weft_say(verb, WEFT_E_TIMEOUT, "service '%s' was never seen by this bus",
                        self->service);
    return weft_say(verb, WEFT_E_TIMEOUT,
                    "%s stands at %" PRIu64 ", behind %" PRIu64 " by %" PRIu64, self->service,
                    self->position, self->target, self->target - self->position);
}

static void s_pause(const weft_wait_run_t *self) {
    struct pollfd item = {.fd = weft_stop_fd(), .events = POLLIN};
    int left = s_left(self);
    poll(&item, 1, left < LOOK_MS ? left : LOOK_MS);
}

static weft_err_t s_wait(weft_wait_run_t *self) {
    for (;;) {
        weft_err_t rc = s_look(self);
        if (rc != WEFT_OK) return rc;
        if (s_there(self)) break;
        if (weft_stop_wanted()) return WEFT_E_INTERRUPTED;
        s_pause(self);
        if (!s_left(self)) return s_missed(self);
    }
    json_int_t position = (json_int_t) (self->position == UINT64_MAX ? self->target
                                                                     : self->position);
    if (self->args.json)
        weft_out_json(json_pack("{s:s, s:I, s:I}", "service", self->service, "position", position,
                                "target", (json_int_t) self->target));
    else
        weft_out("%" JSON_INTEGER_FORMAT "\n", position);
    return WEFT_OK;
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_wait_run_t self = {0};
    weft_err_t rc = weft_args_parse(&self.args, verb, argc, argv, NULL, 0);
    if (rc != WEFT_OK) return rc;
    self.service = self.args.words[0];
    const char *what = self.args.words_count > 1 ? self.args.words[1] : NULL;
    if (what) {
        self.placed = weft_options_number(what, 0, INT64_MAX, &self.target);
        self.by_origin = !self.placed;
        if (self.by_origin && weft_after_parse(what, strlen(what), &self.after) != WEFT_OK)
            return weft_say_usage(verb, "'%s' is no position and no ORIGIN:SEQUENCE", what);
    }
    if (!weft_stop_take()) return weft_say(verb, WEFT_E_IO, "cannot take signals");
    self.end_ms = weft_os_monotonic_ms() + self.args.timeout_ms;
    rc = weft_ask_begin(&self.ask, &self.args);
    if (rc != WEFT_OK) return rc;
    rc = s_wait(&self);
    weft_ask_close(&self.ask);
    return rc;
}

const weft_verb_t weft_verb_wait = {
    .name = "wait",
    .words = "SERVICE [POSITION|ORIGIN:SEQUENCE]",
    .words_least = 1,
    .words_most = 2,
    .help = "wait until a service has applied all up to an event",
    .more =
        "The event is named by its position, or by the Weft-After of a write's answer; without one it is\n"
        "the last of the log as it is now. Waits at most --timeout, also for a bus or a service that is\n"
        "away, and prints where the service stands. Of an origin the bus knows the last event alone: an\n"
        "earlier one is waited for as that.\n"
        "Exit status 1 if the time is over; the line on standard error says how far it is behind.\n",
    .run = s_run,
    .online = true,
};
