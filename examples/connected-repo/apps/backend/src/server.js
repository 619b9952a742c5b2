import http from 'node:http';
import { hostname } from 'node:os';

import { parseNote } from '@connected-repo/shared';

import * as google from './google.js';
import { RateLimit } from './rate-limit.js';
import { beginSession, cookieOf, endSession, endedCookie, findSession, sessionIdOf } from './sessions.js';

const LARGEST_BODY = 16 * 1024;
const SECURITY_HEADERS = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

async function readJson(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > LARGEST_BODY) return { problem: 'the body is too large' };
    chunks.push(chunk);
  }
  try {
    return { value: JSON.parse(Buffer.concat(chunks).toString()) };
  } catch {
    return { problem: 'the body is not JSON' };
  }
}

const unknown = { status: 401, json: { error: 'there is no session' } };

/** By method and path: from a request to an answer. */
function routesOf(config, pool) {
  const sessionOf = (request) => findSession(pool, sessionIdOf(request, config.sessionSecret));
  return {
    // Of the process alone: ending it would not bring the database back.
    'GET /health': () => ({ json: { status: 'ok', timestamp: new Date().toISOString() } }),
    'GET /ready': async () => {
      await pool.query('SELECT 1');
      return { json: { database: 'ok' } };
    },
    'GET /': () => ({ json: { message: 'Backend is live.' } }),
    'GET /version': () => ({ json: { release: config.release, replica: hostname() } }),
    'POST /session': async () => {
      const id = await beginSession(pool);
      return { status: 201, json: { message: 'a session began' }, headers: { 'set-cookie': cookieOf(id, config) } };
    },
    'GET /session': async (request) => {
      const session = await sessionOf(request);
      return session ? { json: { since: session.created_at, email: session.email, replica: hostname() } } : unknown;
    },
    'DELETE /session': async (request) => {
      await endSession(pool, sessionIdOf(request, config.sessionSecret));
      return { status: 204, headers: { 'set-cookie': endedCookie } };
    },
    'GET /notes': async (request) => {
      const session = await sessionOf(request);
      if (!session) return unknown;
      const { rows } = await pool.query('SELECT id, text FROM notes WHERE session_id = $1 ORDER BY id', [session.id]);
      return { json: rows };
    },
    'POST /notes': async (request) => {
      const session = await sessionOf(request);
      if (!session) return unknown;
      const body = await readJson(request);
      const note = body.problem ? body : parseNote(body.value?.text);
      if (note.problem) return { status: 400, json: { error: note.problem } };
      const insert = 'INSERT INTO notes (session_id, text) VALUES ($1, $2) RETURNING id, text';
      return { status: 201, json: (await pool.query(insert, [session.id, note.text])).rows[0] };
    },
    'GET /auth/google': () => google.begin(config, pool),
    'GET /auth/google/callback': async (request, query) =>
      google.finish(config, pool, await sessionOf(request), query),
  };
}

function addressOf(request, config) {
  // The last entry is of the proxy in front; what stands before it is anybody's word.
  const forwarded = config.isBehindProxy && request.headers['x-forwarded-for']?.split(',').at(-1).trim();
  return forwarded || request.socket.remoteAddress;
}

function corsOf(request, config) {
  const { origin } = request.headers;
  if (!origin || !config.origins.includes(origin)) return { vary: 'Origin' };
  return { vary: 'Origin', 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true' };
}

const preflight = {
  status: 204,
  headers: { 'access-control-allow-methods': 'GET, POST, DELETE', 'access-control-allow-headers': 'content-type' },
};

export function serve(config, pool) {
  const routes = routesOf(config, pool);
  const rateLimit = new RateLimit(config.rateLimit);

  const answer = async (request) => {
    const [pathname, query] = request.url.split(/\?(.*)/s);
    const limits = {};
    // Whoever watches over the replica asks often, and is no visitor.
    if (pathname !== '/health') {
      const { isOver, limit, remaining, resetSeconds } = rateLimit.count(addressOf(request, config));
      Object.assign(limits, { 'ratelimit-limit': limit, 'ratelimit-remaining': remaining, 'ratelimit-reset': resetSeconds });
      if (isOver) {
        return { status: 429, json: { error: 'too many requests' }, headers: { ...limits, 'retry-after': resetSeconds } };
      }
    }
    if (request.method === 'OPTIONS') return preflight;
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const route = routes[`${method} ${pathname}`];
    if (!route) return { status: 404, json: { error: 'not found' }, headers: limits };
    const given = await route(request, new URLSearchParams(query));
    return { ...given, headers: { ...limits, ...given.headers } };
  };

  const server = http.createServer(async (request, response) => {
    let given;
    try {
      given = await answer(request);
    } catch (error) {
      console.error(`${request.method} ${request.url.split('?')[0]}: ${error.message}`);
      given = { status: 500, json: { error: 'something went wrong here' } };
    }
    const { status = 200, json, headers = {} } = given;
    const type = json === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' };
    response.writeHead(status, { ...SECURITY_HEADERS, 'cache-control': 'no-store', ...corsOf(request, config), ...type, ...headers });
    response.end(json === undefined ? undefined : `${JSON.stringify(json)}\n`);
  });
  server.listen(config.port, () => console.log(`Release ${config.release} listens on ${config.port}`));
  return server;
}
