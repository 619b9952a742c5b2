//! Hosts in free text: which names a variable's value or a command's word would connect to.
//!
//! It reads little rather than wrongly. Whatever could be a part of a password is left alone: what is found here is
//! shown to people.

use std::collections::BTreeSet;

use super::pairs;

/// A host that a text names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mention {
    /// In lower case, for names of hosts do not tell cases apart.
    pub(super) host: String,
    pub(super) surety: Surety,
}

/// How sure it is that a text is an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Surety {
    /// A value that is nothing but a name, under a key that says nothing of a host.
    Bare,
    /// It has the form of one, as `postgres:16` has.
    Possible,
    /// An address without a port, or a name under a key for addresses.
    Likely,
    /// Then a name that nobody knows is worth a warning too.
    Certain,
}

impl Surety {
    fn certain_if(is_certain: bool, else_: Surety) -> Surety {
        if is_certain { Surety::Certain } else { else_ }
    }
}

/// Schemes whose authority is no host, or is one only for somebody outside.
const NO_HOST: &[&str] = &[
    "file",
    "unix",
    "fd",
    "npipe",
    "sqlite",
    "sqlite3",
    "s3",
    "gs",
    "gcs",
    "az",
    "abfs",
    "docker-image",
    "chrome-extension",
    "android-app",
    "app",
    "data",
    "oci",
    "env",
    "secret",
    "vault",
    "arn",
    "ssm",
];

/// Schemes that are always a connection to a server, so that a port need not be written.
const SERVERS: &[&str] = &[
    "pg",
    "postgres",
    "postgresql",
    "mysql",
    "mariadb",
    "mongodb",
    "redis",
    "rediss",
    "redis-sentinel",
    "rediss-sentinel",
    "valkey",
    "amqp",
    "amqps",
    "nats",
    "kafka",
    "memcached",
    "clickhouse",
    "ldap",
    "ldaps",
    "smtp",
    "smtps",
    "sqlserver",
];

/// Parts of variable names whose addresses are not connected to from inside.
const FOR_OTHERS: &[&str] = &[
    "ALLOWED",
    "CORS",
    "ORIGINS",
    "TRUSTED",
    "PUBLIC",
    "VIRTUAL_HOST",
    "LETSENCRYPT",
    "ADVERTISED",
    "NO_PROXY",
    "REDIRECT",
];

/// Ends of variable names that hold addresses.
const ADDRESSES: &[&str] = &[
    "HOST",
    "HOSTS",
    "HOSTNAME",
    "URL",
    "URLS",
    "URI",
    "URIS",
    "DSN",
    "ADDR",
    "ADDRS",
    "ADDRESS",
    "ADDRESSES",
    "ENDPOINT",
    "ENDPOINTS",
    "SERVER",
    "SERVERS",
    "BROKER",
    "BROKERS",
    "BROKER_LIST",
    "CONNECTION_STRING",
    "SENTINEL",
    "SENTINELS",
    "NODES",
    "SEEDS",
    "UPSTREAM",
    "UPSTREAMS",
];

/// Words of variable names that hold the host of a server, as against the host that one is oneself.
const STORES: &[&str] = &[
    "PG",
    "POSTGRES",
    "POSTGRESQL",
    "DB",
    "DATABASE",
    "MYSQL",
    "MARIADB",
    "REDIS",
    "VALKEY",
    "MONGO",
    "MONGODB",
    "RABBITMQ",
    "AMQP",
    "KAFKA",
    "MEMCACHED",
    "ELASTICSEARCH",
    "OPENSEARCH",
    "CLICKHOUSE",
    "MINIO",
    "NATS",
    "SQL",
    "CACHE",
];

/// The hosts of a variable's value.
pub(super) fn in_variable(name: &str, value: &str) -> BTreeSet<Mention> {
    let name = name.to_ascii_uppercase();
    if FOR_OTHERS.iter().any(|part| name.contains(part)) {
        return BTreeSet::new();
    }
    let holds_addresses = name == "NC_DB" || ADDRESSES.iter().any(|end| ends_with_word(&name, end));
    if let Some(hosts) = pairs::host(value) {
        return connection(hosts);
    }
    let mut found = authorities(value);
    found.extend(with_ports(value, holds_addresses));
    if name.contains("ORIGIN") {
        // More often one's own address, as a browser sees it, than that of a server that is asked.
        return found.into_iter().map(|mention| Mention { surety: Surety::Possible, ..mention }).collect();
    }
    if holds_addresses {
        let certain = name == "PGHOST" || name.split('_').any(|word| STORES.contains(&word));
        let words = value.split([',', ';', ' ']).map(str::trim);
        let surety = Surety::certain_if(certain, Surety::Likely);
        found.extend(words.filter_map(plain_host).map(|host| Mention { host, surety }));
    } else if !is_secret(&name) {
        found.extend(plain_host(value.trim()).map(|host| Mention { host, surety: Surety::Bare }));
    }
    found
}

/// The hosts of a command's word. Only addresses with a scheme are certain: `node:20` is an image.
pub(super) fn in_word(word: &str) -> BTreeSet<Mention> {
    if let Some(hosts) = pairs::host(word) {
        return connection(hosts);
    }
    let mut found = authorities(word);
    found.extend(with_ports(word, false));
    found
}

/// The hosts of a connection's host key: `db`, `one,two`, and SQL Server's `tcp:db,1433` and `db\instance`.
fn connection(hosts: &str) -> BTreeSet<Mention> {
    let bare = hosts.trim();
    let bare = ["tcp:", "np:", "lpc:"].iter().find_map(|start| bare.strip_prefix(start)).unwrap_or(bare);
    let host = |text: &str| {
        let text = text.trim();
        let end = text.find([':', '\\']).unwrap_or(text.len());
        plain_host(&text[..end]).map(|host| Mention { host, surety: Surety::Certain })
    };
    bare.split(',').filter_map(host).collect()
}

/// `NAME` as a whole, after a `_`, or after `PG`.
fn ends_with_word(name: &str, end: &str) -> bool {
    name.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('_') || before == "PG")
}

/// What stands between `://` and the path, for each address in the text, and in `tcp(…)` as Go's MySQL has it.
fn authorities(text: &str) -> BTreeSet<Mention> {
    let mut found = BTreeSet::new();
    for token in text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>' | '|' | ';')) {
        if let Some((_, rest)) = token.split_once("tcp(") {
            found.extend(rest.split(')').next().and_then(|inside| server(inside, false)));
        }
        let mut rest = token;
        while let Some((before, after)) = rest.split_once("://") {
            let scheme = before.rsplit(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '.' | '-')).next();
            found.extend(authority(&scheme.unwrap_or_default().to_ascii_lowercase(), after));
            rest = after;
        }
    }
    found
}

fn authority(scheme: &str, after: &str) -> Vec<Mention> {
    // `postgresql+asyncpg` and `mongodb+srv`: the first part says what is spoken.
    let spoken = scheme.split('+').next().unwrap_or_default();
    let is_looked_up_elsewhere = scheme.ends_with("+srv") || scheme.ends_with("+unix");
    if NO_HOST.contains(&spoken) || is_looked_up_elsewhere {
        return Vec::new();
    }
    let end = after.find(['/', '?', '#', '\\', ')', ']', '}']).unwrap_or(after.len());
    let (authority, path) = after.split_at_checked(end).unwrap_or((after, ""));
    // An `@` behind the end: the end may stand inside of a password.
    let path_only = path.split(['?', ',']).next().unwrap_or_default();
    if path_only.contains('@') && !authority.contains('@') {
        return Vec::new();
    }
    let servers = authority.rsplit_once('@').map_or(authority, |(_, servers)| servers);
    let needs_port = !SERVERS.contains(&spoken);
    servers.split(',').filter_map(|text| server(text, needs_port)).collect()
}

/// One `host` or `host:port`. Without a port it is an address all the same, and less surely one.
fn server(text: &str, needs_port: bool) -> Option<Mention> {
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port.parse::<u16>().ok()?)),
        None => (text, None),
    };
    Some(Mention { host: plain_host(host)?, surety: Surety::certain_if(port.is_some() || !needs_port, Surety::Likely) })
}

/// `host:port`, alone or in a list. From the key for a secret on nothing is read: the secret may hold any sign.
fn with_ports(text: &str, certain: bool) -> BTreeSet<Mention> {
    let tokens = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '"' | '\''));
    let pair = |token: &str| {
        let token = match token.split_once('=') {
            Some((_, value)) => value,
            None => token,
        };
        let (host, port) = token.split_once(':')?;
        port.parse::<u16>().ok().filter(|port| *port > 0)?;
        Some(Mention { host: plain_host(host)?, surety: Surety::certain_if(certain, Surety::Possible) })
    };
    tokens.take_while(|token| !token.split_once('=').is_some_and(|(key, _)| is_secret(key))).filter_map(pair).collect()
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["pass", "pwd", "secret", "token", "key"].iter().any(|word| key.contains(word))
}

/// A name that a resolver would be asked for: no number, no address, nothing with a sign that names cannot have.
fn plain_host(text: &str) -> Option<String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_made_of_name = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let is_a_number = text.chars().all(|c| c.is_ascii_digit() || c == '.');
    (is_made_of_name && starts_well && !is_a_number && text.len() <= 253).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(name: &str, value: &str) -> Vec<String> {
        let named = in_variable(name, value).into_iter().filter(|mention| mention.surety > Surety::Bare);
        named.map(|mention| mention.host).collect()
    }

    fn certain(name: &str, value: &str) -> Vec<String> {
        in_variable(name, value)
            .into_iter()
            .filter(|mention| mention.surety == Surety::Certain)
            .map(|mention| mention.host)
            .collect()
    }

    #[test]
    fn an_address_names_its_host_and_nothing_of_its_password() {
        assert_eq!(certain("NC_DB", "pg://supabase-db:5432?u=nocodb&p=secret:99&d=nocodb"), ["supabase-db"]);
        assert_eq!(certain("X", "postgres://user:p@ss:77@db:5432/app"), ["db"]);
        assert_eq!(certain("X", "jdbc:postgresql://db/app"), ["db"]);
        assert_eq!(certain("X", "postgresql+asyncpg://u:p@db/app"), ["db"]);
        assert_eq!(certain("X", "user:pw@tcp(db:3306)/app"), ["db"]);
        assert_eq!(hosts("X", "redis://s3cret/with@slash:1"), Vec::<String>::new());
        assert_eq!(hosts("X", "pg://user:pa#ss@db:5432/app"), Vec::<String>::new());
    }

    #[test]
    fn lists_of_servers_are_taken_apart() {
        assert_eq!(certain("X", "mongodb://u:p@one:27017,two:27017/app"), ["one", "two"]);
        assert_eq!(certain("KAFKA_BROKERS", "one:9092,two:9092"), ["one", "two"]);
        assert_eq!(certain("X", "http://one:80 http://two:80"), ["one", "two"]);
    }

    #[test]
    fn connections_of_pairs_name_their_host() {
        assert_eq!(certain("X", "Host=db;Username=u;Password=s3:99"), ["db"]);
        assert_eq!(certain("X", "Server=tcp:sql,1433;Database=a;User Id=u;Password=p"), ["sql"]);
        assert_eq!(certain("X", r"Server=sql\main;Database=a"), ["sql"]);
        assert_eq!(certain("X", "host=one,two user=u"), ["one", "two"]);
        assert_eq!(certain("X", "host=10.0.0.3 user=u"), Vec::<String>::new());
        assert_eq!(certain("X", "host=/run/postgresql user=u"), Vec::<String>::new());
        assert_eq!(hosts("X", "cache:6379,password=s3:99,ssl=False"), ["cache"]);
        assert_eq!(certain("X", "redis-sentinel://one,two/main"), ["one", "two"]);
    }

    #[test]
    fn an_origin_is_less_surely_asked() {
        assert_eq!(hosts("BACKEND_ORIGIN", "http://api:8080"), ["api"]);
        assert_eq!(certain("ORIGIN", "http://shop:8080"), Vec::<String>::new());
    }

    #[test]
    fn a_variable_for_a_host_may_hold_a_bare_name() {
        assert_eq!(certain("PGHOST", "db"), ["db"]);
        assert_eq!(certain("REDIS_HOST", "cache"), ["cache"]);
        assert_eq!(hosts("APP_HOST", "web"), ["web"]);
        assert_eq!(certain("APP_HOST", "web"), Vec::<String>::new());
        assert_eq!(hosts("GHOST", "web"), Vec::<String>::new());
    }

    #[test]
    fn a_bare_name_under_any_other_key_is_one_at_the_least() {
        let bare = |value: &str| in_variable("X", value).into_iter().map(|m| (m.host, m.surety)).collect::<Vec<_>>();
        assert_eq!(bare("data-db-1"), [("data-db-1".to_owned(), Surety::Bare)]);
        assert_eq!(bare("data-db-1 and more"), []);
        assert_eq!(bare("s3cret/with-signs-1"), []);
    }

    #[test]
    fn an_image_a_time_and_a_user_are_no_servers() {
        assert_eq!(certain("IMAGE", "postgres:16"), Vec::<String>::new());
        assert_eq!(hosts("AT", "12:30"), Vec::<String>::new());
        assert_eq!(hosts("BIND", "0.0.0.0:80"), Vec::<String>::new());
        assert_eq!(hosts("X", "sqlite:///data/app.db unix:///run/x.sock s3://backups/crm"), Vec::<String>::new());
        assert_eq!(hosts("X", "http://[::1]:80/ http://$HOST:80"), Vec::<String>::new());
    }

    #[test]
    fn addresses_for_browsers_are_not_looked_at() {
        assert_eq!(hosts("CORS_ORIGINS", "http://frontend:3000"), Vec::<String>::new());
        assert_eq!(hosts("NEXT_PUBLIC_URL", "http://frontend:3000"), Vec::<String>::new());
        assert_eq!(hosts("VIRTUAL_HOST", "frontend"), Vec::<String>::new());
    }
}
