# Makes a Postgres to try things on, and is it until its container goes. On its input: the environment, each variable
# ended by a NUL and all of them by an empty one; then, with `init`, the tape of a folder of init files. What follows
# the first argument goes to the server.
set -euo pipefail
while IFS= read -r -d '' line && [ -n "$line" ]; do export "$line"; done
what=$1; shift
umask 077
base=/tmp/mainstay-scratch
mkdir -p "$base/init"
if [ "$what" = init ]; then tar -xmf - -C "$base/init"; fi
exec </dev/null

# shellcheck disable=SC2086
initdb -D "$base/data" -U "$POSTGRES_USER" --no-sync ${POSTGRES_INITDB_ARGS:-} >"$base/initdb.log" 2>&1 || {
    cat "$base/initdb.log" >&2; exit 1; }
printf 'local all all trust\nhost all all 127.0.0.1/32 trust\n' >"$base/data/pg_hba.conf"
postgres -D "$base/data" -c listen_addresses=127.0.0.1 -c port=5432 -c fsync=off -c synchronous_commit=off \
    -c full_page_writes=off -c logging_collector=off -c archive_mode=off "$@" &
server=$!
until psql -qAt -h 127.0.0.1 -U "$POSTGRES_USER" -d postgres -c 'SELECT 1' >/dev/null 2>&1; do
    kill -0 "$server" 2>/dev/null || { wait "$server"; exit 1; }
    sleep 0.1
done

docker_process_sql() { psql -v ON_ERROR_STOP=1 --no-password -U "$POSTGRES_USER" -d "$POSTGRES_DB" "$@"; }
if [ "$POSTGRES_DB" != postgres ]; then
    psql -q -v ON_ERROR_STOP=1 -v name="$POSTGRES_DB" -U "$POSTGRES_USER" -d postgres <<<'CREATE DATABASE :"name"'
fi
for file in "$base"/init/*; do
    case $file in
        *.sh) if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
        *.sql) docker_process_sql -q -f "$file" ;;
        *.sql.gz) gunzip -c "$file" | docker_process_sql -q ;;
        *.sql.xz) xzcat "$file" | docker_process_sql -q ;;
        *.sql.zst) zstd -dc "$file" | docker_process_sql -q ;;
    esac
done >&2
echo 'mainstay: the scratch server is ready'
wait "$server"
