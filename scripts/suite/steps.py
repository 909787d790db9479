"""The steps of `scripts/test`: what each proves, and its commands.

The order is the order in which steps start, as far as they fit beside each other: what fails soonest comes first, and of
the steps on local stacks the longest.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .run import ROOT, TARGET, Run, StepFailed
from .schedule import Step

BINARIES = TARGET / "debug"
# The stack of the end-to-end tests writes here what its functions called and logged. `privileges` and `secrets` read it.
E2E = TARGET / "end-to-end"

# Every cargo command takes the whole workspace and its features, so that no dependency is compiled twice (docs/adr/0010).
WORKSPACE = ["--locked", "--workspace"]
# Tests that need a running stack. Cargo leaves them out where they aren't named.
STACK_TESTS = [f"--test={name}" for name in ("e2e", "metrics", "faults", "doctor")]
# What scripts build by themselves; `build` holds that they find it built.
SCRIPTS_BUILD = ["--bin=demo", "--bin=hubbub", "--bin=hubbub-infra", "--example=unify"]

SDK = Path("clients/web")
BROWSER = Path("tests/browser")

# Rooms above 10 members go to the state machine, and each function may do only what its own policy allows.
STACK = ["--inline-limit", "10", "--enforce-policies"]
# What a killed function held comes back after these timeouts. A broadcast hands over after few events. Posts go out one
# after the other, because a page that is posted at once has no middle.
FAULTS = [f"--set={it}" for it in ("deliverTimeoutSeconds=3", "leaseSeconds=6", "historyEvents=50", "postConcurrency=1")]
SEEDS = 2_000

_installing = threading.Lock()


def formatting(run: Run) -> None:
    run.call("cargo", "fmt", "--all", "--check")


def lints(run: Run) -> None:
    for targets in (["--all-targets"], STACK_TESTS):
        run.call("cargo", "clippy", *WORKSPACE, *targets, "--", "-D", "warnings")


def build(run: Run) -> None:
    for targets in (["--all-targets"], STACK_TESTS):
        run.call("cargo", "build", *WORKSPACE, *targets)
    messages = run.output("cargo", "build", *WORKSPACE, *SCRIPTS_BUILD, "--message-format=json")
    stale = sorted({json.loads(line)["package_id"] for line in messages if '"fresh":false' in line})
    if stale:
        raise StepFailed(f"scripts would compile a second time, with other features: {', '.join(stale)}")


def docs(run: Run) -> None:
    # Of the package that others depend on. The rest would be compiled a third time for it.
    run.call("cargo", "doc", "--locked", "--package", "hubbub-client", "--no-deps", env={"RUSTDOCFLAGS": "-D warnings"})


def dependencies(run: Run) -> None:
    # It takes minutes to install. The rule on who may use the AWS SDK is a unit test as well.
    if shutil.which("cargo-deny") is None:
        run.leave_out("cargo-deny isn't installed: licences and sources of dependencies aren't checked")
        return
    run.call("cargo", "deny", "--locked", "check", "bans", "licenses", "sources")


def units(run: Run) -> None:
    run.call("cargo", "test", *WORKSPACE, *_cargo_filter(run))


def faults(run: Run) -> None:
    install_npm(run, SDK)
    commands = [stack_tests(run, "faults")]
    if not run.filter:
        outage = ["--clients", "30", "--seconds", "6", "--outages", "1", "--backoff-cap", "4"]
        commands.append(["node", SDK / "tests/stack/outage.js", *outage])
    run.on_stack([*STACK, *FAULTS, "--restarts"], *commands)


def e2e(run: Run) -> None:
    install_examples(run)
    shutil.rmtree(E2E, ignore_errors=True)
    commands = [stack_tests(run, "e2e"), ["npm", "run", "test:stack", "--silent", "--prefix", SDK], stack_tests(run, "metrics")]
    if run.filter:
        commands = [stack_tests(run, "e2e", "metrics")]
    else:
        commands.append([BINARIES / "demo", "--clients", "40", "--messages", "10", "--inline-limit", "10", "--json"])
    run.on_stack([*STACK, "--record-calls", "--dir", str(E2E)], *commands)


def privileges(run: Run) -> None:
    audit(run, "privileges", need_e2e())


def secrets(run: Run) -> None:
    audit(run, "logs", need_e2e())


def browser(run: Run) -> None:
    install_npm(run, SDK)
    # The compiler that checks the page's types came with the SDK's.
    run.call(SDK / "node_modules/.bin/tsc", "--project", SDK / "page")
    with _one_installer():
        try:
            run.lib("prepare_browser")
        except StepFailed:
            if os.environ.get("CI"):
                raise
            run.leave_out("there is no Chromium: the dashboard isn't tested in a browser")
            return
    chromium = os.environ.get("HUBBUB_CHROMIUM") or shutil.which("chromium") or ""
    run.call(*_node_tests(run, "page.test.js"), cwd=ROOT / BROWSER, env={"HUBBUB_CHROMIUM": chromium})


def doctor(run: Run) -> None:
    # Calls aren't recorded: the doctor would find a fault in functions that go by a proxy.
    run.on_stack(STACK, stack_tests(run, "doctor"))


def simulation(run: Run) -> None:
    run.call("nice", "-n", "19", BINARIES / "simulate", "--seeds", str(SEEDS))


def python(run: Run) -> None:
    install_python(run)
    choice = ["-k", run.filter] if run.filter else []
    # From Python 3.12 on, 5 says that no test of this tool was chosen.
    good = (0, 5) if run.filter else (0,)
    scripts = [("python3", "suite"), (venv(), "local"), (audit_venv(), "audit")]
    tools = [*((python, f"scripts/{tool}/tests", "scripts") for python, tool in scripts), (venv(), "tests/bench/driver", "tests/bench")]
    for interpreter, tests, top in tools:
        run.call(interpreter, "-m", "unittest", "discover", "--quiet", "-s", tests, "-t", top, *choice, good=good)


def sdk(run: Run) -> None:
    install_npm(run, SDK)
    if not run.filter:
        run.call("npm", "test", "--silent", "--prefix", SDK)
        return
    tests = sorted(it.name for it in (ROOT / SDK / "tests").glob("*.test.js"))
    run.call(*_node_tests(run, *(f"tests/{name}" for name in tests)), cwd=ROOT / SDK)


def state_machines(run: Run) -> None:
    install_npm(run, Path("."))
    run.call("node_modules/.bin/asl-validator", "--json-path", "statemachines/broadcast.asl.json")


def contract(run: Run) -> None:
    install_npm(run, Path("."))
    run.call(BINARIES / "hubbub-contract", "--check")
    run.call("node", "contract/check.mjs")


def pulumi(run: Run) -> None:
    run.call(BINARIES / "hubbub-infra", "--check")


def policies(run: Run) -> None:
    audit(run, "policies", BINARIES / "hubbub-infra")


STEPS = (
    Step("format", "Rust is formatted", formatting),
    Step("lints", "clippy has no warning", lints, 2),
    Step("build", "everything compiles, and the scripts compile nothing again", build, 2),
    Step("docs", "rustdoc of the published client has no warning", docs, 2),
    Step("units", "rules, ports, stores, known bugs and documents", units, 2, needs=("build",), has_tests=True),
    Step("simulation", f"{SEEDS:,} seeds of the simulation keep the guarantee", simulation, 0, needs=("build",)),
    Step("faults", "nothing is lost when functions are killed and the gateway stops", faults, needs=("build",), has_tests=True),
    Step("e2e", "real functions and sockets: Rust, JavaScript, examples, demo", e2e, needs=("build",), has_tests=True),
    Step("privileges", "functions call what their policies grant, and all of it", privileges, after=("e2e",)),
    Step("secrets", "functions log no token, message or address", secrets, after=("e2e",)),
    Step("browser", "the dashboard works in Chromium", browser, needs=("build",), has_tests=True),
    Step("doctor", "`hubbub doctor` finds each fault of a broken stack", doctor, needs=("build",), has_tests=True),
    Step("sdk", "the JavaScript SDK: build, types, tests", sdk, has_tests=True),
    Step("python", "the tools in Python", python, has_tests=True),
    Step("dependencies", "cargo-deny: who may use which crate, licences, sources", dependencies),
    Step("state-machines", "the state machine is valid Amazon States Language", state_machines),
    Step("contract", "the wire contract is up to date and other tools read it", contract, needs=("build",)),
    Step("pulumi", "the files made from the Pulumi program are up to date", pulumi, needs=("build",)),
    Step("policies", "no policy is wider than it must be", policies, needs=("build",)),
)


def stack_tests(run: Run, *names: str) -> list[str | Path]:
    """The command for tests that need a stack."""
    return ["cargo", "test", *WORKSPACE, *(f"--test={name}" for name in names), *_cargo_filter(run)]


def _cargo_filter(run: Run) -> list[str]:
    return ["--", run.filter] if run.filter else []


def _node_tests(run: Run, *files: str) -> list[str]:
    choice = ["--test-name-pattern", run.filter] if run.filter else []
    return ["node", "--test", "--test-force-exit", "--test-reporter=spec", *choice, *files]


def venv() -> Path:
    """The Python of the local stack."""
    return ROOT / ".venv/bin/python"


def audit_venv() -> Path:
    """The Python of the audit: parliament needs another botocore than the local stack."""
    return TARGET / "audit/venv/bin/python"


def audit(run: Run, *arguments: str | Path) -> None:
    """Runs the audit."""
    install_python(run)
    run.call(audit_venv(), "-m", "audit", *arguments, env={"PYTHONPATH": str(ROOT / "scripts")})


def need_e2e() -> Path:
    """What the last run of the end-to-end tests has left.

    Raises:
        StepFailed: there was none.
    """
    if not (E2E / "calls.json").is_file():
        raise StepFailed("it reads what the end-to-end tests leave: run `scripts/test e2e` first")
    return E2E


def install_python(run: Run) -> None:
    """Makes the virtual environments, if they are missing or out of date."""
    with _one_installer():
        run.lib("prepare_python")
        run.lib("make_venv", audit_venv().parent.parent, ROOT / "scripts/audit/requirements.txt", "audit")


def install_npm(run: Run, folder: Path) -> None:
    """Installs an npm package's dependencies, if they are missing or out of date."""
    with _one_installer():
        run.lib("npm_install", folder)


def install_examples(run: Run) -> None:
    """Installs what the examples of publishing need. A language that isn't installed is left out."""
    examples, made = ROOT / "examples/publish", TARGET / "examples"
    install_npm(run, SDK)
    install_npm(run, examples / "node")
    with _one_installer():
        run.lib("make_venv", made / "python", examples / "python/requirements.txt", "Python example")
    if shutil.which("aws") is None:
        run.leave_out("the AWS CLI isn't installed: the example in bash isn't run")
    if shutil.which("go") is None:
        run.leave_out("Go isn't installed: its example isn't run")
        return
    # Built in a copy: Go writes the sums of what it has loaded into the module.
    shutil.rmtree(made / "go", ignore_errors=True)
    shutil.copytree(examples / "go", made / "go")
    try:
        run.call("go", "mod", "tidy", cwd=made / "go")
        run.call("go", "build", "-o", "publish", ".", cwd=made / "go")
    except StepFailed:
        run.leave_out("the modules of the example in Go can't be loaded: it isn't run")


@contextmanager
def _one_installer() -> Iterator[None]:
    """Two steps that want the same folder installed must not do so at once."""
    with _installing:
        yield
