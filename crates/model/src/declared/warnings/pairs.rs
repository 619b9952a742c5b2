//! Connection strings of `key=value` pairs: ADO.NET's with `;`, libpq's with spaces.
//!
//! Only what stands under a key for the host is read, and only where another key says that this is a connection at
//! all. Values in quotes are stepped over as a whole: a password may hold anything.

/// Keys for the host, in small letters.
const HOST: &[&str] =
    &["host", "server", "data source", "datasource", "address", "addr", "network address", "hostname"];

/// Keys that make sure that it is a connection.
const OTHERS: &[&str] = &[
    "user",
    "username",
    "user id",
    "user name",
    "userid",
    "uid",
    "password",
    "pwd",
    "database",
    "dbname",
    "db",
    "initial catalog",
    "port",
    "sslmode",
    "ssl mode",
    "integrated security",
    "trusted_connection",
    "trustservercertificate",
    "encrypt",
    "pooling",
    "connect_timeout",
    "target_session_attrs",
    "application_name",
];

/// What stands under the host's key; nothing where the text is no such connection.
pub(super) fn host(text: &str) -> Option<&str> {
    let mut found = None;
    let mut is_connection = false;
    for (key, value) in pairs(text)? {
        let key = key.trim().to_ascii_lowercase();
        if HOST.contains(&key.as_str()) {
            found = found.or(Some(value));
        } else {
            is_connection |= OTHERS.contains(&key.as_str());
        }
    }
    found.filter(|_| is_connection)
}

/// The pairs, or nothing when a part of the text is none: then it is something else.
fn pairs(text: &str) -> Option<Vec<(&str, &str)>> {
    let separator = if text.contains(';') { |c: char| c == ';' } else { char::is_whitespace };
    let mut found = Vec::new();
    let mut rest = text.trim_start_matches(|c| separator(c) || c.is_whitespace());
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        if key.contains(separator) || key.trim().is_empty() {
            return None;
        }
        let after = after.trim_start_matches(' ');
        let (value, behind) = value(after, separator)?;
        found.push((key, value));
        rest = behind.trim_start_matches(|c| separator(c) || c.is_whitespace());
    }
    Some(found)
}

/// One value, and what stands behind it.
fn value(text: &str, separator: fn(char) -> bool) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
    if let Some(quote) = quote {
        let (value, behind) = text[1..].split_once(quote)?;
        return Some((value, behind));
    }
    let end = text.find(separator).unwrap_or(text.len());
    Some(text.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn the_host_of_a_connection_is_what_its_key_says() {
        for (text, found) in [
            ("Host=db;Username=u;Password=p", "db"),
            ("Server=tcp:sql,1433;Initial Catalog=app;User ID=u;Password='a;Host=b'", "tcp:sql,1433"),
            ("Data Source = sql ; Integrated Security=true;", "sql"),
            ("host=db user=u password=p dbname=app", "db"),
            ("user=u password='a b host=c' host=db", "db"),
            ("host=one,two port=5432,5432", "one,two"),
        ] {
            assert_eq!(host(text).map(str::trim), Some(found), "{text}");
        }
    }

    #[test]
    fn other_texts_with_equals_signs_are_no_connections() {
        for text in [
            "host=db",
            "server=nginx; worker=2",
            "-Xmx512m -Dhost=db",
            "postgres://u:p@db/app?host=x&user=y",
            "a=b;c",
            "",
            "password='never closed host=db",
        ] {
            assert_eq!(host(text), None, "{text}");
        }
    }
}
