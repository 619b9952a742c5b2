CREATE TABLE sessions (
    id text PRIMARY KEY,
    email text,
    oauth_state text,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_expires_at ON sessions (expires_at);
