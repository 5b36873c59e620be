# Read by ops/run, ops/test and .ci/run, which set $checkout: makes sure that an environment is there.
# The first time, and whenever what it is made of changed, it is built by ops/environment.py; after that only
# the stamp is compared, which costs a few milliseconds and starts no Python.
# shellcheck shell=sh

# Says why nothing can be set up, and ends with 69 (a service is unavailable).
refuse() {
    printf '%s\n' "$@" >&2
    exit 69
}

# Sets $python to an interpreter of at least 3.11: $PYTHON and nothing else if set, else the first that fits.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        python=$PYTHON
        is_new_enough "$python" && return
        refuse "PYTHON=$PYTHON is not a Python of at least 3.11 (${found:-it does not start})." \
            "Name one, for example: PYTHON=/usr/bin/python3.11 sh ops/run, or unset PYTHON to search the PATH."
    fi
    seen=
    for python in python3 python3.14 python3.13 python3.12 python3.11; do
        is_new_enough "$python" && return
        [ -z "$found" ] || seen="$seen $python is $found;"
    done
    refuse "No Python of at least 3.11 on the PATH (${seen:- no python3 at all;}${seen:+ }tried python3 and python3.11 to 3.14)." \
        "Install one, or name one that is elsewhere: PYTHON=/path/to/python3 sh ops/run"
}

# Returns whether this interpreter will do; sets $found to its version, empty if it does not start.
is_new_enough() {
    found=$("$1" -I -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || found=
    case $found in
        3.[0-9].* | 3.10.* | '') return 1 ;;
        3.*) return 0 ;;
        *) return 1 ;;
    esac
}

# Sets $lock to what the program runs with. The client of Kafka is asked for once ($HA_RECONCILE_EXTRA) and stays, because an
# environment that has it says so in its stamp.
choose_lock() {
    lock=requirements.txt
    case ${HA_RECONCILE_EXTRA:-}:$1 in
        kafka:* | :*' requirements-kafka.txt'*) lock=requirements-kafka.txt ;;
        :*) ;;
        *) refuse "HA_RECONCILE_EXTRA=$HA_RECONCILE_EXTRA is no extra of this program; there is one, kafka." ;;
    esac
}

# Compiled modules are kept from run to run, below .cache where PYTHONDONTWRITEBYTECODE wants none beside the sources:
# compiling the program and its tests takes longer than most of the tests.
keep_bytecode() {
    [ -n "${PYTHONDONTWRITEBYTECODE:-}" ] || return 0
    unset PYTHONDONTWRITEBYTECODE
    export PYTHONPYCACHEPREFIX="${PYTHONPYCACHEPREFIX:-${checkout:?is set by the script that reads this}/.cache/bytecode}"
}

# prepare_environment run|test|bench|docs|release|fuzz|mutation: sets $environment to the directory of a complete environment.
prepare_environment() {
    environment=${checkout:?is set by the script that reads this}/.venv-$1
    made=$(cat "$environment/stamp" 2>/dev/null) || made=
    case $1 in
        run) choose_lock "$made" ;;
        test) lock=requirements-dev.txt ;;
        bench) lock=requirements-bench.txt ;;
        docs) lock=requirements-docs.txt ;;
        release) lock=requirements-release.txt ;;
        fuzz) lock=requirements-fuzz.txt ;;
        mutation) lock=requirements-mutation.txt ;;
    esac
    # All that an environment is made of. The code itself is used in place, so an edit needs no renewal.
    stamp="checkout $checkout
python ${PYTHON:-any}
$(cd "$checkout" && cksum "$lock" ops/environment.py)"
    if [ -x "$environment/bin/python" ] && [ "$made" = "$stamp" ]; then
        return
    fi
    find_python
    "$python" -I "$checkout/ops/environment.py" "$environment" "$checkout/$lock" "$stamp" </dev/null || exit $?
}
