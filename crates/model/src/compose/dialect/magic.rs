//! Coolify's magic names: `SERVICE_<what>_<whose>`.
//!
//! | name | stands for |
//! |---|---|
//! | `SERVICE_URL_<id>`, `SERVICE_URL_<id>_<port>` | the address of a service, with its scheme |
//! | `SERVICE_FQDN_<id>`, `SERVICE_FQDN_<id>_<port>` | the same without the scheme |
//! | `SERVICE_NAME_<id>` | the name of a service |
//! | `SERVICE_PASSWORD_<id>`, `SERVICE_PASSWORD_64_<id>` | 32 or 64 letters and digits |
//! | `SERVICE_PASSWORDWITHSYMBOLS_<id>`, `…_64_<id>` | the same with symbols |
//! | `SERVICE_USER_<id>`, `SERVICE_LOWERCASEUSER_<id>` | 16 letters and digits |
//! | `SERVICE_BASE64_<id>`, `…_32_`, `…_64_`, `…_128_` | so many letters and digits, whatever the name says |
//! | `SERVICE_REALBASE64_<id>`, `…_32_`, `…_64_`, `…_128_` | base64 of so many random bytes |
//! | `SERVICE_HEX_32_<id>`, `…_64_`, `…_128_` | so many random bytes, two hex digits each |
//! | `SERVICE_SUPABASEANON_<id>`, `SERVICE_SUPABASESERVICE_<id>` | a token signed with `SERVICE_PASSWORD_JWT` |

/// The generated value that tokens are signed with.
pub const TOKEN_KEY: &str = "SERVICE_PASSWORD_JWT";

/// How every magic name begins.
pub(super) const PREFIX: &str = "SERVICE_";

/// How a value is made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Letters and digits, of each kind at least one; with symbols when asked.
    Password { length: usize, symbols: bool },
    /// A letter, then small letters and digits: a name that any database takes without quotes.
    User,
    /// Letters and digits.
    Letters { length: usize },
    /// Base64 of so many bytes.
    Base64 { bytes: usize },
    /// Hex digits of so many bytes.
    Hex { bytes: usize },
    /// A signed token for a role.
    Token { role: &'static str },
}

/// What a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Magic<'a> {
    Url { id: &'a str, port: Option<u16> },
    Fqdn { id: &'a str, port: Option<u16> },
    Name { id: &'a str },
    Generated(Kind),
}

const fn password(length: usize, symbols: bool) -> Kind {
    Kind::Password { length, symbols }
}

/// The longer beginning stands before the shorter one that it starts with.
const GENERATORS: &[(&str, Kind)] = &[
    ("PASSWORDWITHSYMBOLS_64_", password(64, true)),
    ("PASSWORDWITHSYMBOLS_", password(32, true)),
    ("PASSWORD_64_", password(64, false)),
    ("PASSWORD_", password(32, false)),
    ("LOWERCASEUSER_", Kind::User),
    ("USER_", Kind::User),
    ("BASE64_128_", Kind::Letters { length: 128 }),
    ("BASE64_64_", Kind::Letters { length: 64 }),
    ("BASE64_32_", Kind::Letters { length: 32 }),
    ("BASE64_", Kind::Letters { length: 32 }),
    ("REALBASE64_128_", Kind::Base64 { bytes: 128 }),
    ("REALBASE64_64_", Kind::Base64 { bytes: 64 }),
    ("REALBASE64_32_", Kind::Base64 { bytes: 32 }),
    ("REALBASE64_", Kind::Base64 { bytes: 32 }),
    ("HEX_128_", Kind::Hex { bytes: 128 }),
    ("HEX_64_", Kind::Hex { bytes: 64 }),
    ("HEX_32_", Kind::Hex { bytes: 32 }),
    ("SUPABASEANON_", Kind::Token { role: "anon" }),
    ("SUPABASESERVICE_", Kind::Token { role: "service_role" }),
];

/// What a name means; `None` for an ordinary one, such as `SERVICE_OPENAI_KEY`.
pub(super) fn meaning(name: &str) -> Option<Magic<'_>> {
    let rest = name.strip_prefix(PREFIX)?;
    if let Some(id) = rest.strip_prefix("URL_") {
        let (id, port) = with_port(id)?;
        return Some(Magic::Url { id, port });
    }
    if let Some(id) = rest.strip_prefix("FQDN_") {
        let (id, port) = with_port(id)?;
        return Some(Magic::Fqdn { id, port });
    }
    if let Some(id) = rest.strip_prefix("NAME_") {
        return is_id(id).then_some(Magic::Name { id });
    }
    let (beginning, kind) = GENERATORS.iter().find(|(beginning, _)| rest.starts_with(beginning))?;
    is_id(&rest[beginning.len()..]).then_some(Magic::Generated(*kind))
}

/// The last part of an address is its port when it is a number.
fn with_port(text: &str) -> Option<(&str, Option<u16>)> {
    let port = text.rsplit_once('_').and_then(|(id, port)| {
        let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        Some((id, port.parse().ok().filter(|port| is_number && *port > 0)?))
    });
    let (id, port) = port.map_or((text, None), |(id, port)| (id, Some(port)));
    is_id(id).then_some((id, port))
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

/// What an id and a service's name have in common: Coolify writes `SUPABASEKONG`, `SUPABASE_KONG` and
/// `SUPABASE-KONG` for the service `supabase-kong`.
pub(super) fn same(id: &str) -> String {
    id.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port_when_its_last_part_is_a_number() {
        let url = |id, port| Some(Magic::Url { id, port });
        assert_eq!(meaning("SERVICE_URL_APP"), url("APP", None));
        assert_eq!(meaning("SERVICE_URL_APP_8080"), url("APP", Some(8080)));
        assert_eq!(meaning("SERVICE_URL_MY_APP_8080"), url("MY_APP", Some(8080)));
        assert_eq!(meaning("SERVICE_URL_MY-APP_8080"), url("MY-APP", Some(8080)));
        assert_eq!(meaning("SERVICE_URL_N8N"), url("N8N", None));
        assert_eq!(meaning("SERVICE_FQDN_APP_70000"), Some(Magic::Fqdn { id: "APP_70000", port: None }));
        assert_eq!(meaning("SERVICE_URL_"), None);
    }

    #[test]
    fn a_length_in_the_middle_is_a_length_and_at_the_end_a_name() {
        let kind = |name| match meaning(name) {
            Some(Magic::Generated(kind)) => Some(kind),
            _ => None,
        };
        assert_eq!(kind("SERVICE_PASSWORD_DB"), Some(password(32, false)));
        assert_eq!(kind("SERVICE_PASSWORD_64_DB"), Some(password(64, false)));
        assert_eq!(kind("SERVICE_PASSWORD_64"), Some(password(32, false)));
        assert_eq!(kind("SERVICE_PASSWORDWITHSYMBOLS_DB"), Some(password(32, true)));
        assert_eq!(kind("SERVICE_BASE64_K"), Some(Kind::Letters { length: 32 }));
        assert_eq!(kind("SERVICE_BASE64_128_K"), Some(Kind::Letters { length: 128 }));
        assert_eq!(kind("SERVICE_REALBASE64_64_K"), Some(Kind::Base64 { bytes: 64 }));
        assert_eq!(kind("SERVICE_HEX_32_K"), Some(Kind::Hex { bytes: 32 }));
        assert_eq!(kind("SERVICE_SUPABASEANON_KEY"), Some(Kind::Token { role: "anon" }));
    }

    #[test]
    fn other_names_are_ordinary() {
        for name in [
            "SERVICE_OPENAI_KEY",
            "SERVICE_EMAIL_FROM",
            "SERVICE_HEX_K",
            "SERVICE_KEY",
            "SERVICE_PASSWORD",
            "MY_SERVICE_URL_X",
        ] {
            assert_eq!(meaning(name), None, "{name}");
        }
    }
}
