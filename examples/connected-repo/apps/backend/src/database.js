import pg from 'pg';

/** The one pool of this replica. */
export function connect(database) {
  const pool = new pg.Pool({ ...database, max: 5, connectionTimeoutMillis: 5_000, application_name: 'backend' });
  // Without a listener the loss of an idle connection would end the process.
  pool.on('error', (error) => console.error(`database: an idle connection was lost: ${error.message}`));
  return pool;
}

/** Does it on one connection, inside one transaction. */
export async function inTransaction(client, work) {
  await client.query('BEGIN');
  try {
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}
