"""M/M/n+M in ciw: ``ciw_queue.py CONTACTS AGENTS PER_HOUR TALK PATIENCE SEED``; its records are its own."""

import json
import resource
import sys
import time
from importlib.metadata import version

import ciw


def main(contacts: int, agents: int, per_hour: float, talk: float, patience: float, seed: int) -> None:
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(rate=per_hour / 3600)],
        service_distributions=[ciw.dists.Exponential(rate=1 / talk)],
        reneging_time_distributions=[ciw.dists.Exponential(rate=1 / patience)],
        number_of_servers=[agents],
    )
    ciw.seed(seed)
    simulation = ciw.Simulation(network)
    wall, cpu = time.perf_counter(), time.process_time()
    simulation.simulate_until_max_customers(contacts, method="Arrive")
    told = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall, "version": version("ciw")}
    kinds = [record.record_type for record in simulation.get_all_records()]
    outcomes = {"answered": kinds.count("service"), "abandoned": kinds.count("renege")}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**told, **outcomes, "contacts": contacts, "memory_mb": memory}))


if __name__ == "__main__":
    n, agents, *rates, seed = sys.argv[1:]
    main(int(n), int(agents), *map(float, rates), int(seed))
