"""Load: Molotov's scenario files, executed by an engine of our own in child processes.

`drive` is the parent's side and starts `host`, which imports the scenario file and forks the
processes that each run a `generator`. The children write facts; nothing here judges.
"""
