/* weft_doctor_mesh: the bus: does it answer, at all three ports; is it well; and do versions agree? */
#include "weft_findings.h"

#include "weft_os.h"
#include "weft_record.h"
#include "weft_state.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PORT_MS 3000 /* a record comes each second at least */
#define CLOCK_DOUBT_S 1.0
#define CLOCK_BAD_S 60.0

typedef struct {
    const weft_findings_t *findings;
    const weft_args_t *args;
    weft_ask_t ask;
    json_t *state;
} weft_doctor_t;

/* ---- ports */

/* Does any message come from there in time? */
static bool s_hears(void *socket) {
    zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLIN};
    return zmq_poll(&item, 1, PORT_MS) == 1;
}

/* fanout: a record comes; ingest: the bus' wish for all events comes. */
static void s_port(const weft_doctor_t *self, const char *name, const char *told, int type) {
    char endpoint[WEFT_ENDPOINT_BYTES];
    if (weft_endpoint_reach(endpoint, told, self->args->bus) != WEFT_OK) return;
    void *socket = weft_net_socket(self->ask.link.context, type, 1000);
    bool there = socket && zmq_connect(socket, endpoint) == 0;
    if (there && type == ZMQ_SUB)
        there = zmq_setsockopt(socket, ZMQ_SUBSCRIBE, WEFT_TOPIC_COMMIT,
                               strlen(WEFT_TOPIC_COMMIT)) == 0;
    there = there && s_hears(socket);
    if (socket) weft_net_close(&socket);
    if (there)
        weft_finding(self->findings, WEFT_FINE, "port", endpoint, "", "%s is reached", name);
    else
        weft_finding(self->findings, WEFT_BAD, "port", endpoint,
                     "open that port, too: a bus has three", "%s is not reached", name);
}

/* ---- the bus */

static void s_clock(const weft_doctor_t *self, int64_t bus_us, int64_t now_us) {
    double apart = fabs((double) (now_us - bus_us)) / 1e6;
    weft_health_t health = apart > CLOCK_BAD_S     ? WEFT_BAD
                           : apart > CLOCK_DOUBT_S ? WEFT_DOUBT
                                                   : WEFT_FINE;
    weft_finding(self->findings, health, "clock", self->args->bus,
                 health ? "keep both clocks by NTP" : "", "%.1f s apart from this one", apart);
}

static bool s_bus(weft_doctor_t *self) {
    weft_welcome_t welcome;
    weft_err_t rc = weft_ask_welcome(&self->ask, self->args->timeout_ms, &welcome);
    if (rc != WEFT_OK) {
        weft_finding(self->findings, WEFT_BAD, "bus", self->args->bus,
                     rc == WEFT_E_VERSION ? "update the older of the two"
                                          : "start weft-bus, or say where it is with --bus",
                     "%s", weft_ask_reason(&self->ask));
        return false;
    }
    s_clock(self, welcome.at, weft_os_now_us());
    rc = weft_state_try(&self->ask, self->args->timeout_ms, self->args->bus, &self->state);
    if (rc == WEFT_OK) return true;
    weft_finding(self->findings, WEFT_BAD, "bus", self->args->bus, "look at its diagnostics", "%s",
                 weft_ask_reason(&self->ask));
    return false;
}

static void s_accepts(const weft_doctor_t *self) {
    bool accepting = json_is_true(json_object_get(self->state, "accepting"));
    weft_finding(self->findings, accepting ? WEFT_FINE : WEFT_BAD, "bus", self->args->bus,
                 accepting ? "" : "see to its disk; events wait in the outboxes",
                 accepting ? "accepts events, %lld are in the log%s"
                           : "%lld events; takes none: %s",
                 weft_json_int(self->state, "head"), weft_json_text(self->state, "reason"));
}

/* Counters that ought to be 0. */
static void s_counters(const weft_doctor_t *self) {
    static const struct {
        const char *name, *says, *mend;
    } all[] = {
        {"connections_refused", "connections were cut, too many", "raise --connections, ulimit -n"},
        {"topics_cut", "subscribers were cut, too many topics", "see who subscribes"},
        {"bad_frame", "messages were no events", "see who else sends to ingest"},
        {"bad_type", "events were refused for their type", "see who emits them"},
        {"bad_event", "events were malformed", "see who emits them"},
        {"bad_version", "events had another version", "update the older program"},
        {"too_big", "events were too big", "see who emits them"},
        {"types_full", "events had a type too many", "use fewer types; what differs is data"},
        {"store_failed", "events of failed commits were sent again", "see to the disk"},
    };
    const json_t *counters = json_object_get(self->state, "counters");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        long long count = weft_json_int(counters, all[i].name);
        if (count)
            weft_finding(self->findings, WEFT_DOUBT, "bus", self->args->bus, all[i].mend,
                         "%lld %s since its start", count, all[i].says);
    }
}

/* ---- services */

/* "weft-bus 0.1.0", "blog-posts 0.1.0", "0.1.0". */
static const char *s_number(const char *software) {
    const char *space = strrchr(software, ' ');
    return space ? space + 1 : software;
}

static void s_versions(const weft_doctor_t *self) {
    const json_t *services = json_object_get(self->state, "services"), *service;
    const char *bus = s_number(weft_json_text(self->state, "software"));
    size_t i;
    bool same = strcmp(bus, weft_version()) == 0;
    weft_finding(self->findings, same ? WEFT_FINE : WEFT_DOUBT, "version", "weft-bus",
                 same ? "" : "update the older of the two", "%s%s", bus,
                 same ? "" : ", another than this tool's");
    json_array_foreach(services, i, service) {
        const char *its = s_number(weft_json_text(service, "software"));
        if (strcmp(its, bus) != 0)
            weft_finding(self->findings, WEFT_DOUBT, "version", weft_json_text(service, "name"),
                         "update the older of the two", "%s, the bus has %s", its, bus);
    }
}

static bool s_seen(const dev_t *seen, size_t count, dev_t device) {
    for (size_t i = 0; i < count; i++)
        if (seen[i] == device) return true;
    return false;
}

/* Each disk once. */
static void s_disks(const weft_doctor_t *self) {
    const json_t *services = json_object_get(self->state, "services"), *service;
    size_t i, count = 0, room = json_array_size(services) + self->args->words_count;
    struct stat st;
    dev_t *seen = calloc(room + 1, sizeof *seen);
    if (!seen) return;
    for (i = 0; i < self->args->words_count; i++)
        if (stat(self->args->words[i], &st) == 0) seen[count++] = st.st_dev;
    json_array_foreach(services, i, service) {
        const char *path = weft_json_text(service, "database");
        if (!*path || stat(path, &st) != 0 || s_seen(seen, count, st.st_dev)) continue;
        seen[count++] = st.st_dev;
        weft_doctor_disk(self->findings, path);
    }
    free(seen);
}

void weft_doctor_mesh(const weft_findings_t *findings, const weft_args_t *args) {
    weft_doctor_t self = {.findings = findings, .args = args};
    if (weft_ask_begin(&self.ask, args) != WEFT_OK) return;
    if (s_bus(&self)) {
        s_accepts(&self);
        s_port(&self, "fan-out", weft_json_text(self.state, "fanout"), ZMQ_SUB);
        s_port(&self, "ingest", weft_json_text(self.state, "ingest"), ZMQ_XPUB);
        s_counters(&self);
        s_versions(&self);
        s_disks(&self);
    }
    json_decref(self.state);
    weft_ask_close(&self.ask);
}
