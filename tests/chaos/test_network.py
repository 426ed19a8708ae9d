"""The bus on another host: link down, packets dropped, lost and refused, a narrow line; and a relay that
delays, stalls, drips and cuts connections in the middle of a frame. Each fault is shown to bite, passes, and
everything comes right."""

import os
import random
import time

import namespaces
from process import SLOW, check, seed, wait_until
from relay import Relay
from world import Running, World, main

PORTS = (7600, 7601, 7602)
BUS = "tcp://0.0.0.0:7600"
ALONE = "shipping"  # lives on a third host
DEAD_SECONDS = 6    # after so long a connection that takes nothing has ended (C4)

FAULTS = {  # name: (begin, end, does anything pass meanwhile)
    "link down": (lambda host: host.cable(False), lambda host: host.cable(True), False),
    "packets dropped": (lambda host: host.filter("drop"), lambda host: host.filter(None), False),
    "connections reset": (lambda host: host.filter("meta l4proto tcp reject with tcp reset"),
                          lambda host: host.filter(None), False),
    "a fifth of the packets lost": (lambda host: host.filter("numgen random mod 100 < 20 drop"),
                                    lambda host: host.filter(None), True),
    "line of 200 kbit/s": (lambda host: host.throttle("200kbit"), lambda host: host.throttle(None), True),
}


def far_world(scratch, host, alone=None):
    around = {"bus": host.command()}
    if alone:
        around[ALONE] = alone.command()
    return World(scratch, bus=BUS, bind_any=True, reach=f"tcp://{host.address}:7600", around=around)


def suffer(world, rng, name, seconds):
    """Time under a fault; services go on meanwhile. Whether all of them would have come right is not asked."""
    made = world.emitted("stock")[1]
    time.sleep(seconds)  # the fault itself
    wait_until(f"services write under: {name}", lambda: world.emitted("stock")[1] > made, 10)
    if rng.random() < 0.4:
        victim = rng.choice(list(world.processes))
        world.kill(victim)
        world[victim].start()
        print(f"    and {victim} was killed", flush=True)


def test_faults_between_bus_and_all(scratch):
    rng = random.Random(seed())
    host = namespaces.Host()
    with Running(far_world(scratch, host)) as world:
        wait_until("some history", lambda: world.head() > 100, 30)
        rounds = list(FAULTS.items()) * 2
        rng.shuffle(rounds)
        for name, (begin, end, passes) in rounds:
            seconds = rng.uniform(0.5, 5)
            print(f"  {name}, {seconds:.1f} s", flush=True)
            begin(host)
            head, emitted = world.head(), [world.emitted(one) for one in world.cast]
            suffer(world, rng, name, seconds)
            if passes:
                wait_until("something passes", lambda: world.head() > head, 60)
            else:
                # what was under way still arrives, however late; what was made since does not
                beyond = [world.stored(origin) - last for origin, last in emitted if world.stored(origin) > last]
                check(beyond, [], f"{name}: events passed")
            end(host)
            world.converge(60)
        world.rest_and_judge(60)
    host.close()


def test_bus_restarts_while_nobody_reaches_it(scratch):
    """No end of a connection is told to the other side: who only listens learns of it by probes and silence."""
    host = namespaces.Host()
    with Running(far_world(scratch, host)) as world:
        for seconds in (0, DEAD_SECONDS + 3):
            head = world.head()
            wait_until("some history", lambda: world.head() > head + 100, 60)
            host.cable(False)
            world.kill("bus")
            world["bus"].start()
            time.sleep(seconds)  # the fault itself
            host.cable(True)
            world.converge(60)
        world.rest_and_judge(60)
    host.close()


def test_faults_of_one_host_hold_up_nobody_else(scratch):
    rng = random.Random(seed())
    with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as forward:
        forward.write("1")
    host, alone = namespaces.Host(), namespaces.Host()
    with Running(far_world(scratch, host, alone)) as world:
        wait_until(f"{ALONE} takes part", lambda: world.applied(ALONE) > 20, 30)
        for name, (begin, end, passes) in FAULTS.items():
            print(f"  {name}", flush=True)
            begin(alone)
            applied, head = world.applied(ALONE), world.head()
            wait_until("the others go on", lambda: world.applied("audit") > head + 300, 60)
            if not passes:
                check(world.applied(ALONE) <= head, True, f"{ALONE} is cut off: {applied} {world.applied(ALONE)}")
            end(alone)
            world.converge(60)
        world.rest_and_judge(60)
    for one in (host, alone):
        one.close()


def test_relay_that_misbehaves(scratch):
    rng = random.Random(seed())
    host = namespaces.Host()
    relay = Relay("127.0.0.1", host.address, PORTS, rng)
    world = World(scratch, bus=BUS, bind_any=True, reach="tcp://127.0.0.1:7600", around={"bus": host.command()})
    with Running(world) as world:
        wait_until("some history", lambda: world.head() > 100, 30)
        check(relay.passed > 0, True, "all goes by the relay")

        def under(what, **fault):
            head, cuts = world.head(), relay.cuts
            for key, value in fault.items():
                setattr(relay, key, value)
            print(f"  {what}", flush=True)
            suffer(world, rng, what, rng.uniform(1, 5))
            if "cut_bytes" in fault:  # where the cuts fall is chance: a short time may have none
                wait_until("connections are cut", lambda: relay.cuts > cuts, 60)
            print(f"    {world.head() - head} events, {relay.cuts - cuts} cuts", flush=True)
            relay.well()
            world.converge(60)

        under("each piece waits for 0.3 s", delay=0.3)
        under("everything stalls", stalled=True)
        under("seven bytes at a time", piece=7)
        under("the bus is not heard", deaf="bus")
        under("the clients are not heard", deaf="client")
        for most in (200, 5000, 100_000):
            under(f"cut in mid-frame after 1..{most} bytes", cut_bytes=most)
        # And all is to come right under it, for one that is far behind as well: a page of all that it misses
        # never comes through.
        world.kill("audit")
        head = world.head()
        wait_until("audit misses more than passes between two cuts", lambda: world.head() > head + 4000, 120)
        relay.cut_bytes = 300_000
        world["audit"].start()
        head = world.head()
        wait_until("progress between cuts", lambda: world.head() > head + 300, 60)
        world.converge(90)
        relay.well()
        world.rest_and_judge(60)
        print(f"  {relay.passed} bytes passed, {relay.swallowed} swallowed, {relay.cuts} cuts", flush=True)
    relay.close()
    host.close()


if __name__ == "__main__":
    namespaces.enter()
    main(globals())
