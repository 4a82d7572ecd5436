"""Listens on a Unix datagram socket as systemd does: prints each message as a line of JSON."""

import json
import socket
import sys

listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
print(json.dumps("listening"), flush=True)
while True:
    # File descriptors that come with it (BARRIER=1) are not taken, which closes them: what the sender waits for.
    print(json.dumps(listener.recv(65536).decode()), flush=True)
