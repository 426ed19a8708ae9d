/* weft_crash: named points at which a test kills the process, as kill -9 would do from outside.
 * Only programs compiled with WEFT_CRASH_POINTS hold any (tests/chaos); elsewhere they are nothing.
 *
 * WEFT_CRASH_AT=NAME:HITS in the environment: the process ends when it comes to the point NAME for
 * the HITS-th time. */
#ifndef WEFT_CRASH_H
#define WEFT_CRASH_H

#ifdef WEFT_CRASH_POINTS
void weft_crash_point(const char *name); /* any thread */
#define WEFT_CRASH_POINT(name) weft_crash_point(name)
#else
#define WEFT_CRASH_POINT(name) ((void) 0)
#endif

#endif
