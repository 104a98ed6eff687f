#!/usr/bin/env python3
"""Serves the files of a directory on loopback: serve.py PORT DIRECTORY.

As `python3 -m http.server`, but connections are kept, and many may come at once: that one lets all but five wait for a
second or more, which package managers that ask for a hundred pages would be measured by.
"""

import functools
import http.server
import sys


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"


port, directory = sys.argv[1:]
Server(("127.0.0.1", int(port)), functools.partial(Handler, directory=directory)).serve_forever()
