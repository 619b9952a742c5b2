// The package has no program of its own: this serves it, as its documentation shows.
const express = require('express');
const { Noco } = require('nocodb');

const port = Number(process.env.PORT || 8080);
const app = express();
app.enable('trust proxy');

const server = app.listen(port, async () => {
  try {
    app.use(await Noco.init({}, server, app));
    console.log(`NocoDB listens on ${port}`);
  } catch (error) {
    // Without its database it cannot serve: leaving lets the restart policy try again.
    console.error(error);
    process.exit(1);
  }
});

// Process 1 has no default signal handlers.
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => process.exit(0));
}
