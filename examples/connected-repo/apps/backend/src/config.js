// Everything that the environment has to say, checked before anything else is done.

const REQUIRED = [
  'NODE_ENV', 'DB_HOST', 'DB_PORT', 'DB_USER', 'DB_PASSWORD', 'DB_NAME', 'SESSION_SECRET',
  'GOOGLE_CLIENT_ID', 'GOOGLE_CLIENT_SECRET', 'ALLOWED_ORIGINS', 'WEBAPP_URL', 'VITE_API_URL',
];
const SHORTEST_SECRET = 32;

const isUrl = (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
const isPort = (text) => /^[0-9]+$/.test(text) && Number(text) > 0 && Number(text) < 65536;

/** The settings, and everything that is wrong with them, in words that show no value of a secret. */
export function readConfig(env) {
  const problems = REQUIRED.filter((name) => !env[name]).map((name) => `${name} is not set`);
  const check = (name, isRight, problem) => {
    if (env[name] && !isRight(env[name])) problems.push(`${name} ${problem}`);
  };
  check('SESSION_SECRET', (text) => text.length >= SHORTEST_SECRET, `has fewer than ${SHORTEST_SECRET} characters`);
  check('DB_PORT', isPort, 'is not a port');
  check('PORT', isPort, 'is not a port');
  check('RATE_LIMIT', (text) => /^[1-9][0-9]*$/.test(text), 'is not a number of requests a minute');
  check('WEBAPP_URL', isUrl, 'is not an http or https address');
  check('VITE_API_URL', isUrl, 'is not an http or https address');

  const origins = (env.ALLOWED_ORIGINS ?? '').split(',').map((origin) => origin.trim()).filter(Boolean);
  if (origins.includes('*')) problems.push('ALLOWED_ORIGINS lets everybody in: `*` is not allowed');
  for (const origin of origins.filter((one) => one !== '*' && (!isUrl(one) || new URL(one).origin !== one))) {
    problems.push(`ALLOWED_ORIGINS has \`${origin}\`, which is not an origin such as https://app.example.com`);
  }

  const config = {
    port: Number(env.PORT || 3000),
    release: env.RELEASE || '1',
    isProduction: env.NODE_ENV === 'production',
    database: {
      host: env.DB_HOST,
      port: Number(env.DB_PORT),
      user: env.DB_USER,
      password: env.DB_PASSWORD,
      database: env.DB_NAME,
    },
    sessionSecret: env.SESSION_SECRET,
    google: { id: env.GOOGLE_CLIENT_ID, secret: env.GOOGLE_CLIENT_SECRET },
    origins,
    webappUrl: env.WEBAPP_URL,
    apiUrl: env.VITE_API_URL,
    // Requests a minute from one address, in each replica.
    rateLimit: Number(env.RATE_LIMIT || 200),
    // Whether the last entry of X-Forwarded-For was written by a proxy of ours.
    isBehindProxy: env.TRUST_PROXY === '1',
  };
  return { config, problems };
}
