"""The packing room: packs one order after the other and says so in its log."""

import itertools
import threading

import machine

EVERY = machine.number("WORKER_EVERY_SECONDS", 3)


def main():
    stopped = threading.Event()
    machine.on_stop(stopped.set)
    about = machine.about()
    print(f"worker: started on {about['machine']} in {about['region']}", flush=True)
    packed = 0
    for order in itertools.count(1):
        if stopped.wait(EVERY):
            break
        packed = order
        print(f"worker: packed order {order} ({order % 4 + 2} items)", flush=True)
    print(f"worker: {packed} orders packed, nothing left half done", flush=True)


if __name__ == "__main__":
    main()
