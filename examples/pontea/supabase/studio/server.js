'use strict';

// A page over the tables that anybody may read, at the address where Supabase has its Studio and with its first answer:
// 307 to the project. It is not Studio, and edits nothing. Node.js only, no packages.
const http = require('node:http');

const port = Number(process.env.PORT || 3000);
const restUrl = process.env.REST_URL || 'http://rest:3000';
const PROJECT = '/project/default';

const escapeHtml = (value) =>
  String(value).replace(/[&<>"']/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[c]);

// PostgREST describes at its root what the role of the caller may see.
async function readTables() {
  const response = await fetch(`${restUrl}/`, { signal: AbortSignal.timeout(3000) });
  if (!response.ok) throw new Error(`PostgREST answered ${response.status}`);
  const { definitions = {} } = await response.json();
  return Object.entries(definitions).map(([name, { properties = {} }]) => ({
    name,
    columns: Object.entries(properties).map(([column, { format }]) => `${column} ${format}`),
  }));
}

const page = (body) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tables of the project</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem; color: #1c2733; }
  dt { font-weight: 600; margin-top: 1rem; }
</style>
<h1>Tables of the project</h1>
<p>What can be read without a login.</p>
${body}
</html>
`;

function send(response, status, type, body, headers = {}) {
  response.writeHead(status, { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-store', ...headers });
  response.end(body);
}

async function showProject(response) {
  try {
    const entries = (await readTables()).map(
      ({ name, columns }) => `<dt>${escapeHtml(name)}</dt>\n<dd>${columns.map(escapeHtml).join(', ')}</dd>`,
    );
    send(response, 200, 'text/html', page(`<dl>\n${entries.join('\n')}\n</dl>`));
  } catch (error) {
    const reason = error.cause?.message || error.message;
    console.error(`project: ${reason}`);
    send(response, 503, 'text/html', page(`<p>PostgREST cannot be reached: ${escapeHtml(reason)}</p>`));
  }
}

const server = http.createServer(async (request, response) => {
  const [path] = request.url.split('?');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    send(response, 405, 'text/plain', 'only GET\n', { allow: 'GET, HEAD' });
  } else if (path === '/') {
    send(response, 307, 'text/plain', '', { location: PROJECT });
  } else if (path === PROJECT) {
    await showProject(response);
  } else if (path === '/health') {
    send(response, 200, 'text/plain', 'ok\n');
  } else {
    send(response, 404, 'text/plain', 'not found\n');
  }
});

server.listen(port, () => console.log(`studio listens on ${port}`));

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    console.log(`${signal}: stopping`);
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}
