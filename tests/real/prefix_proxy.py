"""A proxy that puts what it serves below a prefix and passes on the browser's Host, as Home Assistant's ingress does."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PREFIX = "/api/hassio_ingress/c2VjcmV0/"


@contextmanager
def prefix_proxy(target: str) -> Iterator[str]:
    """The address below which `target` (http://host:port) is found. Everything else there is a 404."""
    upstream = urlsplit(target).netloc

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.startswith(PREFIX):
                self.send_error(404)
                return
            connection = http.client.HTTPConnection(upstream, timeout=60)
            try:
                headers = {
                    name: value for name, value in self.headers.items() if name.lower() != "accept-encoding"
                }
                headers["Host"] = "homeassistant.local:8123"
                connection.request("GET", f"/{self.path.removeprefix(PREFIX)}", headers=headers)
                answer = connection.getresponse()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection", "date"):
                        self.send_header(name, value)
                self.end_headers()
                # As it comes: an event stream has no end.
                while piece := answer.read1():
                    self.wfile.write(piece)
                    self.wfile.flush()
            except OSError:
                pass  # one of both went away
            finally:
                connection.close()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_arguments: object) -> None:
            """A browser that ends cuts off what is under way."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{PREFIX}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
