"""A small proxy that serves an app at a sub-path, as nginx does with the lines of docs/hosting.md."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def serving_at(path: str, port: int, strips: bool) -> Iterator[str]:
    """The address at which the app on ``port`` is reached under ``path``.

    strips  whether the app is asked without the sub-path (nginx: ``proxy_pass`` that ends with a slash)
    """

    class Handler(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            if not self.path.startswith(path + "/"):
                self.send_error(404, "outside the sub-path")
                return
            asked = self.path[len(path) :] if strips else self.path
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {key: value for key, value in self.headers.items() if key.lower() != "connection"}
            app = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            app.request(self.command, asked, body, headers | {"X-Forwarded-Proto": "http"})
            answer = app.getresponse()
            self.send_response_only(answer.status)
            for key, value in answer.getheaders():
                if key.lower() not in ("connection", "transfer-encoding"):
                    self.send_header(key, value)
            self.end_headers()  # HTTP/1.0: the end of the connection is the end of the answer
            while part := answer.read1(65536):
                self.wfile.write(part)
                self.wfile.flush()
            app.close()

        do_GET = do_POST = _pass_on  # noqa: N815 - names that http.server looks for

        def log_message(self, *told: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}{path}"
    server.shutdown()
    server.server_close()
