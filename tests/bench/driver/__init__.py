"""The benchmark's driver: runs `hubbub-bench` and its rivals, and writes target/bench/report.md.

`scripts/bench` installs what it needs and calls it. Each section of the report is a module with

- `TITLE`, and `PACKAGES`: what cargo builds for it;
- `measure(bench)`, which returns figures as JSON has them;
- `describe(data)`, which makes tables of these figures.

How long something takes never makes the benchmark fail.
"""
