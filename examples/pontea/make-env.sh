#!/usr/bin/env bash
# Gives each stack of the example its .env with secrets that were made here. Values that are already there stay; the
# three files agree on the values they share. The files are for their owner only, and git ignores them.
#
#   examples/pontea/make-env.sh            for production: .env
#   examples/pontea/make-env.sh prod-sim   for `--env prod-sim`: .env.prod-sim, with other secrets, to be thrown away
#
# HTTPS_PORT, when it is set, is the edge's port for HTTPS: another one than 443 stands in the links and redirects.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v python3 >/dev/null || { echo "make-env: python3 is needed, to sign the keys" >&2; exit 1; }

# Python, so that no secret is ever an argument of a program, where everybody on the machine could read it.
exec python3 - "$HERE" ".env${1:+.$1}" <<'PYTHON'
import base64, hashlib, hmac, json, os, pathlib, secrets, sys, time

here, file_name = pathlib.Path(sys.argv[1]), sys.argv[2]


def read(stack):
    path = here / stack / file_name
    lines = path.read_text().splitlines() if path.exists() else []
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.lstrip().startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def write(stack, values):
    """Fills in the example file; a name that the example does not have keeps its line at the end."""
    path = here / stack / file_name
    lines, left = [], dict(values)
    for line in (here / stack / ".env.example").read_text().splitlines():
        name = line.split("=", 1)[0]
        if not line.startswith("#") and name in left:
            line = f"{name}={left.pop(name)}"
        lines.append(line)
    lines += [f"{name}={value}" for name, value in left.items()]
    text = "\n".join(lines) + "\n"
    if path.exists() and path.read_text() == text:
        return
    fresh = path.with_name(f"{file_name}.new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)
    print(f"make-env: wrote {path}", file=sys.stderr)


def password():
    # Hexadecimal: it also stands in URLs.
    return secrets.token_hex(24)


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(role, secret):
    head = encode(json.dumps({"alg": "HS256", "typ": "JWT"}, separators=(",", ":")).encode())
    now = int(time.time())
    claims = {"role": role, "iss": "pontea", "iat": now, "exp": now + 5 * 365 * 24 * 3600}
    body = encode(json.dumps(claims, separators=(",", ":")).encode())
    seal = hmac.new(secret.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{encode(seal)}"


def signed_with(token, secret):
    parts = token.split(".")
    if len(parts) != 3:
        return False
    seal = hmac.new(secret.encode(), f"{parts[0]}.{parts[1]}".encode(), hashlib.sha256).digest()
    return hmac.compare_digest(encode(seal), parts[2])


def shared(name, *files):
    """The one value that the files have, or None; two different ones are a question for whoever set them."""
    found = {values[name] for values in files if values.get(name)}
    if len(found) > 1:
        sys.exit(f"make-env: {name} differs between the stacks' .env files: set it to one value in all of them")
    return found.pop() if found else None


supabase, nocodb, web = read("supabase"), read("nocodb"), read("pontea-web")

for name in ("POSTGRES_PASSWORD", "AUTHENTICATOR_PASSWORD"):
    supabase[name] = supabase.get(name) or password()
supabase["NOCODB_DB_PASSWORD"] = shared("NOCODB_DB_PASSWORD", supabase, nocodb) or password()

supabase["JWT_SECRET"] = supabase.get("JWT_SECRET") or password()
if len(supabase["JWT_SECRET"]) < 32:
    sys.exit("make-env: JWT_SECRET in supabase/.env is shorter than 32 characters, and PostgREST would refuse it")
supabase["ANON_KEY"] = shared("ANON_KEY", supabase, web) or sign("anon", supabase["JWT_SECRET"])
supabase["SERVICE_ROLE_KEY"] = supabase.get("SERVICE_ROLE_KEY") or sign("service_role", supabase["JWT_SECRET"])
for name in ("ANON_KEY", "SERVICE_ROLE_KEY"):
    if not signed_with(supabase[name], supabase["JWT_SECRET"]):
        sys.exit(f"make-env: {name} is not signed with JWT_SECRET: empty it in the .env files to have it made again")

nocodb["NOCODB_DB_PASSWORD"] = supabase["NOCODB_DB_PASSWORD"]
web["ANON_KEY"] = supabase["ANON_KEY"]
if port := os.environ.get("HTTPS_PORT"):
    web["HTTPS_SUFFIX"] = "" if port == "443" else f":{port}"

write("supabase", supabase)
write("nocodb", nocodb)
write("pontea-web", web)
PYTHON
