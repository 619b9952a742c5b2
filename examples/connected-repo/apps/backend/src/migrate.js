// Migrations at the start of each replica. Several may start at the same moment: one applies, the others wait for it and
// then find nothing to do.

import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';

import { inTransaction } from './database.js';

const FOLDER = new URL('../migrations/', import.meta.url);
// Of this application, in its database: a number that nothing else here locks.
const LOCK = 7_205_312;
const LOCK_TIMEOUT = '30s';
const TELL_AFTER_MS = 3_000;
const ALREADY_EXISTS = new Set(['42P07', '42701', '42710']); // table, column, another object
const LOCK_NOT_AVAILABLE = '55P03';

async function readMigrations() {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith('.sql')).sort();
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(new URL(name, FOLDER), 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

/** Held by the connection: it is let go of when the replica ends, however it ends. */
async function withLock(client, work) {
  const { rows } = await client.query('SELECT pg_try_advisory_lock($1) AS mine', [LOCK]);
  if (!rows[0].mine) {
    console.log('Another replica is migrating: waiting for it');
    await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
  }
  try {
    return await work();
  } finally {
    await client.query('SELECT pg_advisory_unlock($1)', [LOCK]).catch(() => {});
  }
}

async function pendingOf(client, migrations) {
  await client.query(`CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`);
  const { rows } = await client.query('SELECT name, checksum FROM schema_migrations');
  const applied = new Map(rows.map((row) => [row.name, row.checksum]));
  for (const { name, checksum } of migrations) {
    if (applied.has(name) && applied.get(name) !== checksum) {
      throw new Error(`${name} was changed after it had been applied: write a new migration instead`);
    }
  }
  return migrations.filter(({ name }) => !applied.has(name));
}

/** Who keeps this connection waiting, from another one. */
async function blockersOf(pool, pid) {
  const { rows } = await pool.query(
    `SELECT pid, usename, application_name, state, left(query, 80) AS query
       FROM pg_stat_activity WHERE pid = ANY (pg_blocking_pids($1))`,
    [pid],
  );
  return rows.map((row) => `process ${row.pid} (${row.usename}, ${row.application_name || 'no name'}, ${row.state}): ${row.query}`);
}

async function apply(pool, client, { name, sql, checksum }) {
  const pid = client.processID;
  let blockers = [];
  const tell = async () => {
    const now = await blockersOf(pool, pid).catch(() => []);
    const news = now.filter((blocker) => !blockers.includes(blocker));
    for (const blocker of news) console.log(`${name} waits for a lock that is held by ${blocker}`);
    blockers = now;
  };
  const timer = setInterval(tell, TELL_AFTER_MS);
  try {
    // Together with the note that it was applied: one that fails is not recorded.
    await inTransaction(client, async () => {
      await client.query(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
      await client.query(sql);
      await client.query('INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)', [name, checksum]);
    });
  } catch (error) {
    throw new Error(reasonOf(name, error, blockers), { cause: error });
  } finally {
    clearInterval(timer);
  }
}

function reasonOf(name, error, blockers) {
  if (ALREADY_EXISTS.has(error.code)) {
    return `${name} makes something that is there already (${error.message}). Was it made by hand? Take it away, or ` +
      'put the migration into schema_migrations yourself when it is exactly the same';
  }
  if (error.code === LOCK_NOT_AVAILABLE) {
    return `${name} got no lock within ${LOCK_TIMEOUT}, held by ${blockers.join('; ') || 'somebody who has let go since'}`;
  }
  return `${name} failed and was not recorded: ${error.message}`;
}

/** Applies what is pending, and says so. */
export async function migrate(pool) {
  const migrations = await readMigrations();
  const client = await pool.connect();
  try {
    const applied = await withLock(client, async () => {
      const pending = await pendingOf(client, migrations);
      for (const migration of pending) await apply(pool, client, migration);
      return pending.map(({ name }) => name);
    });
    const said = applied.length > 0 ? `Applied ${applied.length} migration(s): ${applied.join(', ')}` : 'Database is up to date';
    console.log(said);
  } finally {
    client.release();
  }
}
