"""The benchmark: what Hubbub costs in time, processor, memory and money, beside what else could be used.

`scripts/bench` builds and installs what is needed and calls this; `python -m benchmark --help` says what it takes.

Who does what:

- `cli` reads the arguments and knows the order of things, `bench` is what a section measures with, `console` says what
  is going on;
- `sections` has a module for each part of the report, which measures (`measure`) and words what it has measured
  (`describe`);
- `processes` runs and measures processes with `launcher` in between, `gateway` runs the stand-in for API Gateway,
  `runtime_api` is a stand-in for Lambda's Runtime API;
- `senders` are what the posting section compares; `rivals` has what Hubbub is compared with in other languages, `tools`
  installs what they need;
- `figures`, `rounds` and `prices` are arithmetic; `blocks`, `report` and `plots` make the report of what was measured.

A run ends with an error where a part could not be measured, and never because of how long something took.
"""
