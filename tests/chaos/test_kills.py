"""kill -9 at named points and at random moments: rounds of kill, restart, converge. The bus forgets meanwhile.

WEFT_CHAOS_ROUNDS: how many (200). WEFT_TEST_SEED: to repeat the choices of a run."""

import collections
import os
import random
import time

from process import SLOW, seed
from world import Running, World, main

ROUNDS = int(int(os.environ.get("WEFT_CHAOS_ROUNDS", "200")) / SLOW)  # sanitizers: fewer, same time
JUDGE_EVERY = 50
KEEP = "3s"  # the log forgets what all services have, while they are killed
POINT_SECONDS = 2.0   # a point that is not reached by then is killed at that moment instead
RANDOM_SECONDS = 0.15


class Kills:
    def __init__(self, world, rng):
        self.world, self.rng, self.at = world, rng, collections.Counter()
        self.doing = []  # in this round, for whoever looks at a failure

    def moment(self):
        """At a random moment of whatever is going on; nothing is waited for."""
        time.sleep(self.rng.random() * RANDOM_SECONDS)

    def kill_now(self, name):
        self.moment()
        self.world.kill(name)
        self.doing.append(f"kill {name}")
        self.at["random moment"] += 1

    def die_at_point(self, name):
        """Start it so that it kills itself at a named point; that may be before it is ready."""
        point, hits = self.rng.choice(self.world.points(name)), self.rng.choice((1, 1, 2, 5, 20))
        self.doing.append(f"{name} until {point}:{hits}")
        process = self.world[name].start(ready=False, WEFT_CRASH_AT=f"{point}:{hits}")
        end = time.monotonic() + POINT_SECONDS * SLOW
        while process.alive() and time.monotonic() < end:
            time.sleep(0.005)
        reached = not process.alive()
        self.at[point if reached else "point not reached"] += 1
        if reached and process.child.returncode != -9:
            raise AssertionError(f"{name} ended with {process.child.returncode} on its way to {point}")
        self.world.kill(name)

    def round(self):
        """One or two processes at once, half of the time a second time while they recover."""
        self.doing.clear()
        names = self.rng.sample(list(self.world.processes), self.rng.choice((1, 1, 1, 2)))
        if self.rng.random() < 0.3 and "bus" not in names:
            names[0] = "bus"
        for name in names:
            self.kill_now(name)
        for name in names:
            if self.rng.random() < 0.5:
                self.die_at_point(name)
        for name in names:
            self.world[name].start()
        self.world.converge()


def test_nothing_is_lost_or_doubled_under_kill_9(scratch):
    rng = random.Random(seed())
    with Running(World(scratch, keep=KEEP)) as world:
        kills = Kills(world, rng)
        began = time.monotonic()
        for number in range(1, ROUNDS + 1):
            try:
                kills.round()
            except BaseException:
                print(f"  in round {number}: {', '.join(kills.doing)}, start again, converge", flush=True)
                raise
            if number % JUDGE_EVERY == 0:
                print(f"  {number} rounds, {time.monotonic() - began:.0f} s", flush=True)
                world.rest_and_judge()
                world.load(True)
        world.rest_and_judge()
    print(f"  {ROUNDS} rounds, {sum(kills.at.values())} kills:")
    for point, count in sorted(kills.at.items()):
        print(f"    {count:5} {point}")


if __name__ == "__main__":
    main(globals())
