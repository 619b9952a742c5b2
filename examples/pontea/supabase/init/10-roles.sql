-- The roles of a Supabase database. The passwords come from the container's environment.
\getenv authenticator_password AUTHENTICATOR_PASSWORD
\getenv nocodb_password NOCODB_DB_PASSWORD

CREATE ROLE supabase_admin SUPERUSER LOGIN REPLICATION BYPASSRLS;

-- What a request through the gateway may become.
CREATE ROLE anon NOLOGIN NOINHERIT;
CREATE ROLE authenticated NOLOGIN NOINHERIT;
CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS;

-- PostgREST logs in as this one, which can do nothing but become one of the three.
CREATE ROLE authenticator LOGIN NOINHERIT PASSWORD :'authenticator_password';
GRANT anon, authenticated, service_role TO authenticator;

CREATE ROLE nocodb LOGIN PASSWORD :'nocodb_password';
