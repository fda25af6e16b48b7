"""Fills STORE with the repositories that LIST names on a Ray cluster of two nodes, one of which is removed while it
works: STORE LIST FOLDER. Prints what came of it as JSON."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from codewm_lsp.workers import STAY_ON_LOOPBACK


def main(location: str, file: Path, marks: Path) -> None:
    os.environ["RAY_USAGE_STATS_ENABLED"] = os.environ[STAY_ON_LOOPBACK] = "0"
    from ray.cluster_utils import Cluster

    from codewm_lsp.cli.filling import Filled, RepositorySlice, SliceResult, fill_with
    from codewm_lsp.repository_list import listed
    from codewm_lsp.stores import open_store
    from codewm_lsp.workers import RayWorkers
    from codewm_lsp.world_model import WorldModel

    node: dict[str, Any] = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "object_store_memory": 80 << 20}
    patience = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 1_000, "health_check_timeout_ms": 5_000}
    cluster = Cluster(
        initialize_head=True, head_node_args={**node, "include_dashboard": False, "_system_config": patience}
    )
    doomed = cluster.add_node(**node)
    cluster.wait_for_nodes()
    name = doomed.node_id

    def read(asked: RepositorySlice) -> SliceResult:
        import ray

        from codewm_lsp.cli.filling import read_slice

        if ray.get_runtime_context().get_node_id() == name:
            (marks / f"begun-{asked.path.name}").touch()
            time.sleep(300)  # until the node is gone
        while not any(marks.glob("begun-*")):
            time.sleep(0.05)  # else this node may do all the work before the other has begun
        return read_slice(asked)

    def remove() -> None:
        while not any(marks.glob("begun-*")):
            time.sleep(0.05)
        cluster.remove_node(doomed, allow_graceful=False)

    remover = threading.Thread(target=remove, daemon=True)
    remover.start()
    model = WorldModel.load(graphs=())
    store = open_store(location, model_hash=model.hash, edit_size=model.edit_size, create=True)
    with closing(store), closing(RayWorkers(read, cluster.address)) as workers:
        told = list(fill_with(store, listed(file), workers, at="HEAD", limit=None, model=None))
    remover.join(30)
    cluster.shutdown()
    print(
        json.dumps(
            {
                "filled": [[one.source.name, one.added] for one in told if isinstance(one, Filled)],
                "failed": [one for one in told if not isinstance(one, Filled)],
                "removed_while_reading": sorted(mark.name for mark in marks.iterdir()),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
