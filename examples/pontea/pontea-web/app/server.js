'use strict';

// Pontea: a page over the CRM's rows, which it reads from Supabase through the gateway. Node.js only, no packages.
const http = require('node:http');

const env = process.env;
const port = Number(env.PORT || 3000);
const supabaseUrl = env.SUPABASE_URL || 'http://supabase-kong:8000';
const anonKey = env.SUPABASE_ANON_KEY || '';
const release = env.RELEASE || '?';
const startedAt = new Date();

async function readTable(path) {
  const response = await fetch(`${supabaseUrl}/rest/v1/${path}`, {
    headers: { apikey: anonKey },
    signal: AbortSignal.timeout(3000),
  });
  if (!response.ok) throw new Error(`the gateway answered ${response.status}`);
  return response.json();
}

const readDeals = () => readTable('deals?select=id,title,stage,amount_eur,companies(name,city)&order=id');
const readCompanies = () => readTable('companies?select=id,name,city&order=id');

// fetch says "fetch failed" and hides why in its cause; the why (ENOTFOUND, ECONNREFUSED) is what helps.
const reasonOf = (error) => error.cause?.message || error.message;

const escapeHtml = (value) =>
  String(value).replace(/[&<>"']/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[c]);

function dealRow(deal) {
  const amount = Number(deal.amount_eur).toLocaleString('en-GB', { style: 'currency', currency: 'EUR' });
  const cells = [deal.title, deal.companies.name, deal.companies.city, deal.stage, amount];
  return `<tr>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>`;
}

function page(body) {
  const link = (href, text) => `<a href="${escapeHtml(href)}">${text}</a>`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Pontea</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem; color: #1c2733; }
  table { border-collapse: collapse; width: 100%; }
  th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid #d8dee5; }
  td:last-child, th:last-child { text-align: right; }
  .trouble { background: #fdecea; border-left: 4px solid #c0392b; padding: .8rem 1rem; }
</style>
<h1>Pontea</h1>
${body}
<p>${link(env.PUBLIC_NOCODB_URL || '#', 'NocoDB')} · ${link(env.PUBLIC_SUPABASE_URL || '#', 'Supabase gateway')} ·
${link(env.PUBLIC_STUDIO_URL || '#', 'tables')} · ${link('/api/health/', 'health')} ·
${link('/api/deals/', 'deals as JSON')} · release ${escapeHtml(release)}</p>
</html>
`;
}

function send(response, status, type, body, headers = {}) {
  response.writeHead(status, { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-store', ...headers });
  response.end(body);
}

const sendJson = (response, status, value) => send(response, status, 'application/json', `${JSON.stringify(value)}\n`);

async function showHome(response) {
  try {
    const rows = (await readDeals()).map(dealRow).join('\n');
    const head = ['Deal', 'Company', 'City', 'Stage', 'Amount'].map((title) => `<th>${title}</th>`).join('');
    send(response, 200, 'text/html', page(`<table>\n<tr>${head}</tr>\n${rows}\n</table>`));
  } catch (error) {
    console.error(`home: ${reasonOf(error)}`);
    const trouble = `<p class="trouble">Supabase cannot be reached: ${escapeHtml(reasonOf(error))}</p>`;
    send(response, 503, 'text/html', page(trouble));
  }
}

async function showRows(response, read) {
  try {
    sendJson(response, 200, await read());
  } catch (error) {
    sendJson(response, 503, { error: reasonOf(error) });
  }
}

// The app's own health, and not Supabase's: restarting the app would not bring Supabase back.
function showHealth(response) {
  sendJson(response, 200, { status: 'ok', release, startedAt: startedAt.toISOString(), uptimeSeconds: Math.round(process.uptime()) });
}

const routes = {
  '/': showHome,
  '/api/health/': showHealth,
  '/api/deals/': (response) => showRows(response, readDeals),
  '/api/companies/': (response) => showRows(response, readCompanies),
};

const server = http.createServer(async (request, response) => {
  const [path, query] = request.url.split(/\?(.*)/s);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    send(response, 405, 'text/plain', 'only GET\n', { allow: 'GET, HEAD' });
  } else if (path.startsWith('/api/') && !path.endsWith('/')) {
    // One slash at the front: "//host" would lead to another site.
    const location = `${path.replace(/^\/+/, '/')}/${query === undefined ? '' : `?${query}`}`;
    send(response, 308, 'text/plain', '', { location });
  } else if (Object.hasOwn(routes, path)) {
    await routes[path](response);
  } else {
    send(response, 404, 'text/plain', 'not found\n');
  }
});

server.listen(port, () => console.log(`pontea listens on ${port}`));

// What is being answered is finished; connections that wait for a next request are closed.
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    console.log(`${signal}: stopping`);
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}
