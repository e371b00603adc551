"""The section `cluster`: how `lidr build-pairs --ray` spreads a run."""

from pydantic import Field

from lidr_plugin.config.section import HOW, Number, Section


class Cluster(Section):
    """How a run is spread over the machines of a Ray cluster."""

    workers: int | None = Field(default=None, ge=1, le=100_000, json_schema_extra=HOW)
    """Maximum number of workers, each with an engine of its own. Null: as many as the cluster has room for, also while it grows."""
    gpus_per_worker: Number | None = Field(default=None, ge=0, le=64, json_schema_extra=HOW)
    """GPUs of a worker. Null: none for a server that is there already (`base_url`) or on a cluster without GPUs; otherwise
    `engine.replicas`, times `tensor_parallel_size`, `pipeline_parallel_size` and `data_parallel_size` in `engine.args`."""
    cpus_per_worker: Number = Field(default=1.0, gt=0, le=1024, json_schema_extra=HOW)
    """CPU cores of a worker."""
    shards: int | None = Field(default=None, ge=1, le=1_000_000, json_schema_extra=HOW)
    """Number of shards. Null: four for each worker that the cluster has room for at the beginning. A run that has shards already
    goes on with those."""
