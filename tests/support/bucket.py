"""A bucket of an object store on this machine: moto's server, spoken to by s3fs."""

from collections.abc import Iterator
from contextlib import contextmanager

import fsspec
import pytest


@contextmanager
def bucket(monkeypatch: pytest.MonkeyPatch, name: str) -> Iterator[str]:
    """Its address, and the environment that leads there."""
    server_module = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for variable, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }.items():
        monkeypatch.setenv(variable, value)
    fsspec.filesystem("s3").clear_instance_cache()  # it would ask the server before
    place = fsspec.filesystem("s3")
    place.mkdir(name)
    try:
        yield f"s3://{name}"
    finally:
        place.rm(name, recursive=True)  # moto's servers share their memory
        server.stop()
        place.clear_instance_cache()
