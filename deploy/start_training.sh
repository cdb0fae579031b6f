#!/usr/bin/env bash
# Runs the Go-weight tuner (`ouroboros tune`) and starts it again when it crashes. All flags are passed on:
#
#   deploy/start_training.sh --games 50 --max-iterations 1000
#
# TRAINING_MODE says what to run instead: automated (the daemon, `ouroboros up`), pipeline (`ouroboros train`), or tuner.
# Ctrl+C or SIGTERM stop it gracefully; starting it again resumes. It ends by itself when the tuner is done (exit code
# 0) and when a person has to mend something first (2: bad input, or a machine that lacks something).
# After a crash it waits RESTART_DELAY_S seconds (5), twice as long after each further one, at most
# RESTART_DELAY_MAX_S (300); a run that lasted ten minutes counts as a fresh start.
# Paths among the flags are meant from where you stand; the state is in `automation/` of this checkout, or in OUROBOROS_HOME.
set -uo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd) || exit 2
export OUROBOROS_HOME=${OUROBOROS_HOME:-$root/automation}

first_delay=${RESTART_DELAY_S:-5}
longest_delay=${RESTART_DELAY_MAX_S:-300}
healthy_after_s=600
for delay in "RESTART_DELAY_S is $first_delay" "RESTART_DELAY_MAX_S is $longest_delay"; do
    if ! [[ ${delay#* is } =~ ^(0|[1-9][0-9]{0,5})$ ]]; then
        echo "start_training: $delay; it must be a whole number of seconds below 1000000" >&2
        exit 2
    fi
done

if [[ -x $root/.venv/bin/ouroboros ]]; then
    ouroboros=$root/.venv/bin/ouroboros
elif ! ouroboros=$(command -v ouroboros); then
    echo "start_training: ouroboros is not installed here; run deploy/quick_setup.sh first" >&2
    exit 2
fi

tuner=0
stopping=
stop() {
    stopping=1
    # A terminal sends Ctrl+C to the tuner too, which takes signals close together for one.
    ((tuner)) && kill -TERM "$tuner" 2>/dev/null
}
trap stop INT TERM HUP

case ${TRAINING_MODE:-tuner} in
tuner) command=tune ;;
automated) command=up ;;
pipeline) command=train ;;
*)
    echo "start_training: TRAINING_MODE is $TRAINING_MODE; it must be tuner, automated or pipeline" >&2
    exit 2
    ;;
esac

delay=$first_delay
while true; do
    started=$SECONDS
    "$ouroboros" "$command" "$@" &
    tuner=$!
    code=0
    wait "$tuner" || code=$?
    # A trapped signal ends `wait` early: wait again until the tuner itself has ended.
    while kill -0 "$tuner" 2>/dev/null; do
        code=0
        wait "$tuner" || code=$?
    done
    tuner=0
    if [[ -n $stopping ]]; then
        exit "$code"
    fi
    if ((code == 0 || code == 2)); then
        exit "$code"
    fi
    if ((code == 126 || code == 127)); then # the shell's: it did not even start, and will not
        echo "start_training: $ouroboros cannot be run; was the checkout moved? Run deploy/quick_setup.sh" >&2
        exit 2
    fi
    ((SECONDS - started >= healthy_after_s)) && delay=$first_delay
    echo "start_training: ouroboros $command ended with exit code $code; starting it again in $delay s" >&2
    sleep "$delay" &
    wait $!
    if [[ -n $stopping ]]; then
        exit 0
    fi
    delay=$((delay * 2 > longest_delay ? longest_delay : delay * 2))
done
