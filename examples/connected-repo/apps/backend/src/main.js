import { readConfig } from './config.js';
import { connect } from './database.js';
import { migrate } from './migrate.js';
import { serve } from './server.js';

const { config, problems } = readConfig(process.env);
if (problems.length > 0) {
  // All at once: nobody wants to learn of them one restart at a time.
  for (const problem of problems) console.error(`configuration: ${problem}`);
  process.exit(1);
}

const pool = connect(config.database);
try {
  await migrate(pool);
} catch (error) {
  console.error(`migrations: ${error.message}`);
  process.exit(1);
}

const server = serve(config, pool);
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    console.log(`${signal}: finishing what is under way`);
    server.close(async () => {
      await pool.end();
      process.exit(0);
    });
    server.closeIdleConnections();
  });
}
