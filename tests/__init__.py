"""The tests.

Their processes, and the servers that they start, load the same modules: these are compiled once, also where Python is
told to keep no compiled ones.
"""

import os
import sys

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
