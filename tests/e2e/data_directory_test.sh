#!/usr/bin/env bash
# Data directories that can't be used, and settings that can't be understood: each says what to do.
source "$(dirname "$0")/lib.sh" "$@"

start_server
run serve --listen 127.0.0.1:0 --data "$data"
expect_code 1 'a second server on one directory'
expect_in "$errors" 'in use by process'
stop_server
expect_code 0 'SIGTERM'
expect_no_file "$data/server.json"

: >"$work/file"
run tasks --data "$work/file"
expect_code 1 'a file instead of a directory'
expect_in "$errors" '--data'
if ((EUID != 0)); then
    mkdir "$work/locked"
    chmod 500 "$work/locked"
    run tasks --data "$work/locked"
    expect_code 1 'a directory that can not be written'
    expect_in "$errors" '--data'
fi

run tasks --data "$work/newer"
expect_code 0 'a fresh directory'
version=$(sqlite3 "$work/newer/durascribe.db" 'PRAGMA user_version')
table=$(sqlite3 "$work/newer/durascribe.db" "SELECT name FROM sqlite_master WHERE type='table' AND name LIKE '%migration%'")
if [[ -n $table ]]; then
    columns=$(sqlite3 "$work/newer/durascribe.db" "SELECT group_concat(CASE WHEN pk OR name IN ('number','version') THEN '9999' ELSE '\"'||name||'\"' END) FROM pragma_table_info('$table')")
    sqlite3 "$work/newer/durascribe.db" "INSERT INTO $table SELECT $columns FROM $table LIMIT 1"
else
    sqlite3 "$work/newer/durascribe.db" "PRAGMA user_version=$((version + 1000))"
fi
run tasks --data "$work/newer"
expect_code 1 'a directory of a newer version'
expect_in "$errors" 'newer'

run serve --listen 0.0.0.0:0 --data "$data"
expect_code 2 'an open port without --no-auth'
expect_in "$errors" '--no-auth'
run serve --listen 8000 --data "$data"
expect_code 2 'half an address'
expect_in "$errors" 'HOST:PORT'
echo 'max_retrys = 3' >"$data/durascribe.toml"
run tasks --data "$data"
expect_code 2 'an unknown key'
expect_in "$errors" 'durascribe.toml, line 1'
rm "$data/durascribe.toml"
MAX_RETRY_ATTEMPTS=many run tasks --data "$data"
expect_code 2 'a bad value'
expect_in "$errors" 'MAX_RETRY_ATTEMPTS is "many" (in the environment)'
run tasks --data "$data" --database postgresql://localhost/x
expect_code 2 'another database'
expect_in "$errors" 'PostgreSQL comes with a later version'
