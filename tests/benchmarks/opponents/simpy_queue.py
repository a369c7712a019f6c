"""M/M/n+M in bare simpy: ``simpy_queue.py CONTACTS AGENTS PER_HOUR TALK PATIENCE SEED``; no rules, offers or record."""

import json
import random
import resource
import sys
import time
from importlib.metadata import version

import simpy


def main(contacts: int, agents: int, per_hour: float, talk: float, patience: float, seed: int) -> None:
    chance, environment = random.Random(seed), simpy.Environment()
    pool = simpy.Resource(environment, agents)
    outcomes = {"answered": 0, "abandoned": 0}

    def contact():
        with pool.request() as agent:
            got = yield agent | environment.timeout(chance.expovariate(1 / patience))
            if agent not in got:
                outcomes["abandoned"] += 1
                return
            outcomes["answered"] += 1
            yield environment.timeout(chance.expovariate(1 / talk))

    def arrivals():
        for _ in range(contacts):
            yield environment.timeout(chance.expovariate(per_hour / 3600))
            environment.process(contact())

    environment.process(arrivals())
    wall, cpu = time.perf_counter(), time.process_time()
    environment.run()
    told = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall, "version": version("simpy")}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**told, **outcomes, "contacts": contacts, "memory_mb": memory}))


if __name__ == "__main__":
    n, agents, *rates, seed = sys.argv[1:]
    main(int(n), int(agents), *map(float, rates), int(seed))
