"""Does its work once a minute."""

import os
import time

while True:
    print(f"version {os.environ['VERSION']} does its work")
    time.sleep(60)
