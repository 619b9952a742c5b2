// Signing in with Google (OpenID Connect, authorization code).

import { randomBytes } from 'node:crypto';

import { beginSession, cookieOf } from './sessions.js';

const AUTHORIZE = 'https://accounts.google.com/o/oauth2/v2/auth';
const TOKEN = 'https://oauth2.googleapis.com/token';

const returnTo = (config) => `${config.apiUrl}/auth/google/callback`;

/** Sends the browser to Google, with a state that only this session knows. */
export async function begin(config, pool) {
  const state = randomBytes(18).toString('base64url');
  const id = await beginSession(pool, state);
  const query = new URLSearchParams({
    client_id: config.google.id,
    redirect_uri: returnTo(config),
    response_type: 'code',
    scope: 'openid email',
    state,
  });
  return { status: 302, headers: { location: `${AUTHORIZE}?${query}`, 'set-cookie': cookieOf(id, config) } };
}

/** Takes the code that the browser brings back to Google, and gets an address for it. */
export async function finish(config, pool, session, query) {
  if (!session?.oauth_state || query.get('state') !== session.oauth_state) {
    return { status: 400, json: { error: 'this sign-in was not begun here' } };
  }
  await pool.query('UPDATE sessions SET oauth_state = NULL WHERE id = $1', [session.id]);
  const answer = await fetch(TOKEN, {
    method: 'POST',
    body: new URLSearchParams({
      code: query.get('code') ?? '',
      client_id: config.google.id,
      client_secret: config.google.secret,
      redirect_uri: returnTo(config),
      grant_type: 'authorization_code',
    }),
    signal: AbortSignal.timeout(10_000),
  });
  if (!answer.ok) return { status: 502, json: { error: `Google answered ${answer.status}` } };
  // It came from Google itself over TLS, so its signature adds nothing (OpenID Connect Core, 3.1.3.7).
  const [, claims] = (await answer.json()).id_token.split('.');
  const { email } = JSON.parse(Buffer.from(claims, 'base64url').toString());
  await pool.query('UPDATE sessions SET email = $2 WHERE id = $1', [session.id, email]);
  return { status: 302, headers: { location: config.webappUrl } };
}
