"""The web server of `lidr view`: on this machine alone, for whoever has the token, and with nothing loaded from elsewhere."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from typing import TypeVar

import orjson
from aiohttp import web

from lidr_plugin.errors import InputError, LidrError, RunError
from lidr_plugin.machine import interrupts
from lidr_plugin.pages.view.items import FACETS
from lidr_plugin.pages.view.library import MARKED, Library
from lidr_plugin.pages.view.render import Renderer, View
from lidr_plugin.run_directory import RunDirectory

T = TypeVar("T")
_HOST = "127.0.0.1"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_STATIC = {"view.css": "text/css", "view.js": "text/javascript"}
_PATIENCE = 0.4
"""Seconds that a page waits for what is new in the run: a small run is whole then."""


class Server:
    """A run on a port of this machine.

    Args:
        port: 0: any that is free.
    """

    def __init__(self, library: Library, name: str, port: int) -> None:
        self._library = library
        self._renderer = Renderer(name)
        self._token = secrets.token_urlsafe(24)
        self._port = port
        # One thread each: SQLite's connections, and the prompts of a chain, are one thread's at a time.
        self._searches = ThreadPoolExecutor(1)
        self._chains = ThreadPoolExecutor(1)

    async def serve(self, ready: Callable[[str], None]) -> None:
        """Serves until it is cancelled; `ready` is told the address, token included.

        Raises:
            RunError: the port is taken.
        """
        app = web.Application(middlewares=[self._guarded])
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/items/{number}", self._item),
                web.get("/items/{number}/chain", self._chain),
                web.post("/items/{number}/mark", self._mark),
                web.get("/state", self._state),
                *[web.get(f"/{name}", self._static) for name in _STATIC],
            ]
        )
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, _HOST, self._port)
            try:
                await site.start()
            except OSError as error:
                raise RunError(
                    f"port {self._port}: {error.strerror}", "name another: --port 0 takes a free one"
                ) from None
            self._port = runner.addresses[0][1]
            await self._in(self._searches, lambda: self._library.keep_up(_PATIENCE))
            ready(f"http://{_HOST}:{self._port}/?token={self._token}")
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()
            await self._in(self._chains, self._library.close_chains)
            for threads in (self._searches, self._chains):
                threads.shutdown(cancel_futures=True)

    async def _in(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(threads, work)

    @web.middleware
    async def _guarded(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Lets in who has the token, once in the address and then in a cookie; and only by this address, from this page."""
        response = self._refusal(request)
        if response is None:
            try:
                response = await handler(request)
            except web.HTTPException as error:
                response = error
            except LidrError as error:
                response = web.Response(status=500, text=f"{error.message}\n{error.hint}")
        response.headers.update(_HEADERS)
        return response

    def _refusal(self, request: web.Request) -> web.StreamResponse | None:
        own = {f"{host}:{self._port}" for host in (_HOST, "localhost")}
        origin = request.headers.get("Origin")
        # A page elsewhere whose name was turned to this address has another host.
        if request.host not in own or (origin and origin.removeprefix("http://") not in own):
            return web.Response(status=403, text="This address is not lidr's.")
        cookie = f"lidr-{self._port}"
        if _same(request.query.get("token", ""), self._token) and request.method == "GET":
            response = web.Response(status=303, headers={"Location": "/"})
            response.set_cookie(cookie, self._token, httponly=True, samesite="Strict", path="/")
            return response
        if not _same(request.cookies.get(cookie, ""), self._token):
            return web.Response(status=403, text="Open the whole address that `lidr view` printed, token included.")
        return None

    async def _page(self, request: web.Request) -> web.Response:
        query = request.query
        view = View(
            said=query.get("q", "")[:500],
            facets={name: query[name] for name in (*FACETS, MARKED) if query.get(name)},
            after=_number(query.get("after", "0")),
            item=_number(query.get("item", "0")),
            different=query.get("different") == "1",
        )

        def made() -> str:
            library = self._library
            reading = library.keep_up(_PATIENCE)
            listed = library.listed(view.said, view.facets, view.after)
            shown = library.item(view.item) if view.item else next(iter(listed.shown), None)
            return self._renderer.page(view, listed, shown, library.state(), reading, library.problem)

        return _html(await self._in(self._searches, made))

    async def _item(self, request: web.Request) -> web.Response:
        number, different = _number(request.match_info["number"]), request.query.get("different") == "1"
        said = request.query.get("q", "")[:500]

        def made() -> str | None:
            shown = self._library.item(number)
            return self._renderer.item(shown, said, different) if shown else None

        return _html_or_gone(await self._in(self._searches, made))

    async def _chain(self, request: web.Request) -> web.Response:
        number = _number(request.match_info["number"])
        shown = await self._in(self._searches, lambda: self._library.item(number))
        if shown is None:
            return _html_or_gone(None)
        chain = await self._in(self._chains, lambda: self._library.chain(shown.item))
        return _html(self._renderer.chain(shown.item, chain))

    async def _mark(self, request: web.Request) -> web.Response:
        number = _number(request.match_info["number"])
        if request.content_type != "application/json":  # what a form of another page could send is none
            return web.Response(status=415, text="A mark is sent as JSON.")
        try:
            said = orjson.loads(await request.read())
        except orjson.JSONDecodeError:
            said = None
        mark, note = (said.get(name, "") if isinstance(said, Mapping) else None for name in ("mark", "note"))
        if not isinstance(mark, str) or not isinstance(note, str):
            return web.Response(status=400, text="A mark has mark and note.")

        def made() -> str | None:
            shown = self._library.mark(number, mark, note)
            return self._renderer.item(shown, "", different=False) if shown else None

        try:
            return _html_or_gone(await self._in(self._searches, made))
        except InputError as error:
            return web.Response(status=400, text=error.message)
        except OSError as error:
            return web.Response(status=500, text=f"The mark could not be kept: {error.strerror}")

    async def _state(self, _: web.Request) -> web.Response:
        def told() -> dict[str, object]:
            return {"reading": self._library.keep_up(0), "items": self._library.state().items}

        return web.json_response(await self._in(self._searches, told))

    async def _static(self, request: web.Request) -> web.Response:
        name = request.path.removeprefix("/")
        text = (resources.files("lidr_plugin.pages.view") / name).read_text(encoding="utf-8")
        return web.Response(text=text, content_type=_STATIC[name])


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode("utf-8", "replace"), other.encode())


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _html(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html")


def _html_or_gone(text: str | None) -> web.Response:
    return (
        _html(text) if text is not None else web.Response(status=404, text="It is not there any more: reload the page.")
    )


def serve(run: RunDirectory, port: int, ready: Callable[[str], None]) -> None:
    """Shows a run until it is interrupted.

    Raises:
        InputError: there is no run at that place, or its marks are damaged.
        RunError: the port is taken, or there is no room for the index.
        KeyboardInterrupt: it was ended, as it is meant to be.
    """
    library = Library(run)
    try:
        interrupts.run(Server(library, run.path.absolute().name, port).serve(ready))
    finally:
        library.close()
