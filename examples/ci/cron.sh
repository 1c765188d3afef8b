#!/bin/sh
# Imports a folder of case files from cron, on a machine that keeps its disk. What
# it prints is mailed by cron, without the values of cases.
#
#   0 18 * * *  $HOME/caseload/cron.sh plan      # what would be sent, and its plan
#   0 3 * * *   $HOME/caseload/cron.sh import    # sends it, if somebody approved it
#
# To approve a plan:  cron.sh approve HASH-N
# It counts until the files change. Without approval nothing is sent.
#
# Once, by hand, in the folder $HOME/caseload:
#   1. Put the files into cases/, the config into caseload.toml, and the key into a
#      file: install -m 600 /dev/stdin public.key
#   2. Create the ledger:  cron.sh create
#
# Back the ledger up with `caseload ledger backup FILE`. A copy that is older than
# the last import would send again what it lacks, so caseload refuses it.
set -eu
umask 077
PATH="$HOME/.cargo/bin:$PATH"
cd "${CASELOAD_FOLDER:-$HOME/caseload}"
command -v caseload > /dev/null || cargo install --locked --git https://github.com/your-org/caseload

# A file here, or postgres://USER@HOST/DATABASE with the password in ~/.pgpass.
export CASELOAD_LEDGER="${CASELOAD_LEDGER:-ledger.db}"

case "${1:-}" in
create)
    CI=true caseload import cases/*.csv --public-key-file public.key --new-ledger
    ;;
plan)
    caseload import cases/*.csv --dry-run --redact
    ;;
approve)
    echo "${2:?the plan, as the dry run printed it}" > approved.plan
    ;;
import)
    [ -f approved.plan ] || { echo "no plan is approved: nothing is sent"; exit 0; }
    # Another run on this ledger is waited for.
    caseload import cases/*.csv --plan "$(cat approved.plan)" --redact \
        --public-key-file public.key --wait 1h --out runs
    ;;
*)
    echo "usage: $0 create|plan|approve HASH-N|import" >&2
    exit 2
    ;;
esac
