# shellcheck shell=bash
# What the scripts share. It is sourced, not run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Makes a virtual environment with what a file of requirements names, if it is missing or the file has changed.
#
# Usage: make_venv FOLDER REQUIREMENTS WHAT-FOR
make_venv() {
    local venv=$1 requirements=$2 what_for=$3
    if [[ -x $venv/bin/python ]] && cmp -s "$requirements" "$venv/requirements.txt"; then
        return
    fi
    if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
        echo "error: Python 3.10 or newer is needed as \`python3\`" >&2
        return 1
    fi
    echo "installing the $what_for's requirements ..." >&2
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements" >&2
    # Copied last: an installation that was broken off is done again.
    cp "$requirements" "$venv/requirements.txt"
}

# Makes .venv, which the local stack runs in.
prepare_python() {
    make_venv "$root/.venv" "$root/scripts/local/requirements.txt" "local stack"
}

# Installs what an npm package's lock file names, if it has changed.
#
# Usage: npm_install FOLDER
npm_install() {
    if ! cmp -s "$1/package-lock.json" "$1/node_modules/installed.json"; then
        npm ci --prefix "$1" --silent --no-audit --no-fund --ignore-scripts
        # Copied last: an installation that was broken off is done again.
        cp "$1/package-lock.json" "$1/node_modules/installed.json"
    fi
}

# Finds Chromium, or installs Debian's where that is possible, and what drives it. Without it, it says so and fails.
prepare_browser() {
    export HUBBUB_CHROMIUM=${HUBBUB_CHROMIUM:-$(command -v chromium || true)}
    if [[ -z $HUBBUB_CHROMIUM ]] && ((EUID == 0)) && command -v apt-get >/dev/null; then
        echo "installing Chromium ..." >&2
        apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null && HUBBUB_CHROMIUM=$(command -v chromium)
    fi
    if [[ -z $HUBBUB_CHROMIUM ]]; then
        echo "there is no Chromium: install the package \`chromium\`, or give the path of one as HUBBUB_CHROMIUM" >&2
        return 1
    fi
    npm_install "$root/tests/browser"
}

# Runs the local stack's tool in place of the script, so that signals reach it. `local_stack --help` says what it takes.
local_stack() {
    prepare_python
    PYTHONPATH=$root/scripts exec "$root/.venv/bin/python" -m local "$@"
}

# Says what is wrong with an option that takes a number, before anything is built or started.
number() {
    if [[ ! ${2-} =~ ^[0-9]+$ ]]; then
        echo "error: $1 takes a whole number, and not \`${2-}\`" >&2
        exit 2
    fi
}

# Says that an option is unknown, and how the script is called.
#
# Usage: unknown SCRIPT OPTION
unknown() {
    echo "error: the option \`$2\` is unknown" >&2
    usage "$1" >&2
    exit 2
}

# Prints the comment at the head of a script.
usage() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$1"
}

# Where cargo builds.
target_folder() {
    echo "${CARGO_TARGET_DIR:-$root/target}"
}

# Runs the operator's command line in place of the script.
operator() {
    # The whole workspace, as the local stack builds it: a smaller choice would compile the AWS SDK a second time.
    # What cargo says goes to standard error: after a change it takes a while, and people like to know.
    cargo build --locked --manifest-path "$root/Cargo.toml" --workspace --all-targets
    # Where a stack is looked for doesn't depend on the folder that this is called in.
    if [[ -z ${HUBBUB_OUTPUTS-} && -e $root/target/local/outputs.json ]]; then
        export HUBBUB_OUTPUTS=$root/target/local/outputs.json
    fi
    export HUBBUB_PROGRAM=${HUBBUB_PROGRAM:-$root/pulumi}
    exec "$(target_folder)/debug/hubbub" "$@"
}
