/* flood --bus ENDPOINT --rate N: emits N events a second, of a few types, until it gets TERM. */
#include "weft.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TURN_US 1000

static volatile sig_atomic_t s_stop;

static void s_on_signal(int number) {
    (void) number;
    s_stop = 1;
}

static int64_t s_now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static weft_err_t s_flood(weft_pub_t *pub, double per_us) {
    static const char *const types[] = {"flood.risen", "flood.fallen", "flood.measured"};
    static const unsigned char data[] = {0x81, 0xa1, 'n', 0x07}; /* {"n": 7} */
    int64_t begun_us = s_now_us();
    uint64_t sent = 0;
    weft_err_t rc = WEFT_OK;
    while (!s_stop && rc == WEFT_OK) {
        uint64_t due = (uint64_t) ((double) (s_now_us() - begun_us) * per_us);
        while (sent < due && rc == WEFT_OK) {
            rc = weft_pub_send(pub, types[sent % 3], "flood/1", data, sizeof data, NULL);
            sent += rc == WEFT_OK;
        }
        if (rc == WEFT_E_FULL) rc = WEFT_OK; /* the bus is slower than that: what it takes */
        if (rc == WEFT_OK) rc = weft_pub_step(pub);
        nanosleep(&(struct timespec){.tv_nsec = TURN_US * 1000}, NULL);
    }
    return rc;
}

int main(int argc, char **argv) {
    weft_pub_t *pub = NULL;
    weft_pub_config_t config;
    weft_pub_config_init(&config);
    double rate = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--bus") == 0) config.bus = argv[i + 1];
        if (strcmp(argv[i], "--rate") == 0) rate = atof(argv[i + 1]);
    }
    if (rate <= 0) {
        fprintf(stderr, "usage: flood --bus ENDPOINT --rate N\n");
        return 2;
    }
    config.source = "flood";
    signal(SIGTERM, s_on_signal);
    weft_err_t rc = weft_pub_new(&pub, &config);
    if (rc == WEFT_OK) {
        printf("ready rate=%.0f\n", rate);
        fflush(stdout);
        rc = s_flood(pub, rate / 1e6);
    }
    weft_pub_destroy(&pub);
    return weft_exit_code(rc);
}
