// Sessions live in the database, so that any replica can answer. The browser has the id, signed.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const COOKIE = 'session';
const DAYS = 14;

const seal = (id, secret) => createHmac('sha256', secret).update(id).digest('base64url');

/** The id in the request's cookie, when the signature is ours. */
export function sessionIdOf(request, secret) {
  const cookies = (request.headers.cookie ?? '').split(';').map((pair) => pair.trim());
  const value = cookies.find((pair) => pair.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1) ?? '';
  const [id, signature] = value.split('.');
  if (!id || !signature) return undefined;
  const [given, right] = [signature, seal(id, secret)].map((text) => Buffer.from(text));
  return given.length === right.length && timingSafeEqual(given, right) ? id : undefined;
}

/** What the browser is told to keep. */
export function cookieOf(id, { sessionSecret, isProduction }) {
  const secure = isProduction ? '; Secure' : '';
  return `${COOKIE}=${id}.${seal(id, sessionSecret)}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${DAYS * 86_400}${secure}`;
}

export const endedCookie = `${COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0`;

export async function beginSession(pool, oauthState = null) {
  const id = randomBytes(24).toString('base64url');
  await pool.query(
    `INSERT INTO sessions (id, oauth_state, expires_at) VALUES ($1, $2, now() + $3 * interval '1 day')`,
    [id, oauthState, DAYS],
  );
  // Few begin, so each may clear away a few that are over.
  await pool.query('DELETE FROM sessions WHERE expires_at < now()');
  return id;
}

export async function findSession(pool, id) {
  if (!id) return undefined;
  const { rows } = await pool.query('SELECT * FROM sessions WHERE id = $1 AND expires_at > now()', [id]);
  return rows[0];
}

export const endSession = (pool, id) => pool.query('DELETE FROM sessions WHERE id = $1', [id]);
