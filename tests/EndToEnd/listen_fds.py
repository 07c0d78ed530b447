"""Opens a listening socket and runs a program with it, again and again, as systemd does for a socket unit (sd_listen_fds(3)).

usage: listen_fds.py PORT PROGRAM [ARGUMENT...]
"""
import os
import signal
import socket
import sys

listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(4096)
child = 0


def stop(*_):
    if child:
        os.kill(child, signal.SIGKILL)
    os._exit(0)


signal.signal(signal.SIGTERM, stop)
runs = 0
while True:
    runs += 1
    child = os.fork()
    if child == 0:
        # Ends with this launcher, however that ends: PR_SET_PDEATHSIG.
        import ctypes
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        os.dup2(listener.fileno(), 3)
        # Also when it was 3 already, and dup2 had nothing to do.
        os.set_inheritable(3, True)
        os.execve(sys.argv[2], sys.argv[2:], {**os.environ, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"})
    print(f"run {runs} has pid {child}.", flush=True)
    _, status = os.waitpid(child, 0)
    child = 0
    print(f"run {runs} ended with {os.waitstatus_to_exitcode(status)}.", flush=True)
