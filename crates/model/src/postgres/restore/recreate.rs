//! The statements that make what a dump does not bring. Each is to be run by itself, as a superuser, in the order given.

use std::collections::BTreeMap;

use super::acl::AclItem;
use super::{ident, literal};
use crate::postgres::backup::{Contents, DatabaseFacts, Role, RoleAttributes};

/// Variables whose value is a list of names: given as one text they would be one name.
const LISTS: &[&str] = &[
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// The role that a new cluster should begin with: one that is a superuser there too.
pub fn bootstrap(contents: &Contents) -> String {
    let is_superuser = |name: &&String| contents.roles.get(*name).is_some_and(|role| role.attributes.superuser);
    let usual = "postgres".to_owned();
    let mut candidates = [&usual, &contents.database.owner].into_iter().chain(contents.roles.keys());
    // A name that is no role there stays out of the way of those that are.
    candidates.find(is_superuser).cloned().unwrap_or_else(|| "mainstay_bootstrap".into())
}

/// Makes the roles, without passwords, in a cluster that has `existing` already.
pub fn roles(roles: &BTreeMap<String, Role>, existing: &str) -> Vec<String> {
    let one = |(name, role): (&String, &Role)| {
        let verb = if name == existing { "ALTER" } else { "CREATE" };
        format!("{verb} ROLE {} WITH {}", ident(name), attributes(&role.attributes))
    };
    roles.iter().map(one).collect()
}

/// Makes roles members of each other.
pub fn memberships(roles: &BTreeMap<String, Role>, major: u32) -> Vec<String> {
    let mut statements = Vec::new();
    for (member, role) in roles {
        for of in &role.member_of {
            let yes = |on: bool| if on { "TRUE" } else { "FALSE" };
            let mut options = Vec::new();
            if major >= 16 {
                options.push(format!("ADMIN {}", yes(of.admin)));
                options.extend(of.inherit.map(|on| format!("INHERIT {}", yes(on))));
                options.extend(of.set.map(|on| format!("SET {}", yes(on))));
            } else if of.admin {
                options.push("ADMIN OPTION".into());
            }
            let with = if options.is_empty() { String::new() } else { format!(" WITH {}", options.join(", ")) };
            statements.push(format!("GRANT {} TO {}{with}", ident(&of.role), ident(member)));
        }
    }
    statements
}

fn attributes(of: &RoleAttributes) -> String {
    let word = |on: bool, word: &str| if on { word.to_owned() } else { format!("NO{word}") };
    let mut words = vec![
        word(of.superuser, "SUPERUSER"),
        word(of.inherit, "INHERIT"),
        word(of.create_role, "CREATEROLE"),
        word(of.create_db, "CREATEDB"),
        word(of.login, "LOGIN"),
        word(of.replication, "REPLICATION"),
        word(of.bypass_rls, "BYPASSRLS"),
        format!("CONNECTION LIMIT {}", of.connection_limit),
    ];
    words.extend(of.valid_until.iter().map(|until| format!("VALID UNTIL {}", literal(until))));
    words.join(" ")
}

/// Makes an empty database under a name, as the one that was backed up was.
pub fn create_database(facts: &DatabaseFacts, name: &str, major: u32) -> String {
    let mut sql = format!(
        "CREATE DATABASE {} TEMPLATE template0 OWNER {} ENCODING {} LC_COLLATE {} LC_CTYPE {}",
        ident(name),
        ident(&facts.owner),
        literal(&facts.encoding),
        literal(&facts.collate),
        literal(&facts.ctype)
    );
    match (facts.provider.as_str(), &facts.locale) {
        ("icu", Some(locale)) => sql += &format!(" LOCALE_PROVIDER icu ICU_LOCALE {}", literal(locale)),
        ("builtin", Some(locale)) if major >= 17 => {
            sql += &format!(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}", literal(locale));
        }
        // What a template of another kind says must not win.
        _ if major >= 15 => sql += " LOCALE_PROVIDER libc",
        _ => {}
    }
    sql
}

/// Who may do what with the database, under its name now.
pub fn grants(facts: &DatabaseFacts, name: &str) -> Vec<String> {
    if facts.acl.is_empty() {
        return Vec::new();
    }
    let database = ident(name);
    let mut statements = vec![
        format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC"),
        format!("REVOKE ALL ON DATABASE {database} FROM {}", ident(&facts.owner)),
    ];
    let items: Vec<AclItem> = facts.acl.iter().filter_map(|text| AclItem::read(text)).collect();
    // Who gives on what was given comes after the owner.
    let (own, others): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| item.grantor == facts.owner);
    for item in own.into_iter().chain(others) {
        let grantee = item.grantee.as_deref().map_or("PUBLIC".to_owned(), ident);
        for given_on in [false, true] {
            let words: Vec<&str> = item.privileges.iter().filter(|(_, on)| *on == given_on).filter_map(word).collect();
            if words.is_empty() {
                continue;
            }
            let option = if given_on { " WITH GRANT OPTION" } else { "" };
            let grant = format!("GRANT {} ON DATABASE {database} TO {grantee}{option}", words.join(", "));
            statements.push(format!("SET ROLE {}; {grant}; RESET ROLE", ident(&item.grantor)));
        }
    }
    statements
}

fn word(privilege: &(char, bool)) -> Option<&'static str> {
    match privilege.0 {
        'C' => Some("CREATE"),
        'T' => Some("TEMPORARY"),
        'c' => Some("CONNECT"),
        _ => None,
    }
}

/// What `ALTER ROLE … SET` and `ALTER DATABASE … SET` had set. Holds values: never to be shown.
pub fn settings(contents: &Contents, database: &str, of_roles: bool) -> Vec<String> {
    let mut statements = Vec::new();
    for one in &contents.settings {
        let whose = match (&one.role, one.in_database) {
            (None, true) => format!("ALTER DATABASE {}", ident(database)),
            (Some(role), true) => format!("ALTER ROLE {} IN DATABASE {}", ident(role), ident(database)),
            (Some(role), false) if of_roles => format!("ALTER ROLE {}", ident(role)),
            (None, false) if of_roles => "ALTER ROLE ALL".to_owned(),
            _ => continue,
        };
        for setting in &one.settings {
            let name = setting.name.split('.').map(ident).collect::<Vec<_>>().join(".");
            statements.push(format!("{whose} SET {name} TO {}", value(&setting.name, setting.value.reveal())));
        }
    }
    statements
}

fn value(name: &str, value: &str) -> String {
    if !LISTS.contains(&name.to_lowercase().as_str()) {
        return literal(value);
    }
    let names = names(value);
    if names.is_empty() {
        "''".to_owned()
    } else {
        names.iter().map(|name| literal(name)).collect::<Vec<_>>().join(", ")
    }
}

/// The names of a list that is kept as one text, `"$user", public`.
fn names(list: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut now = String::new();
    let (mut quoted, mut any) = (false, false);
    let mut letters = list.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                now.push('"');
            }
            '"' => {
                quoted = !quoted;
                any = true;
            }
            ',' if !quoted => {
                names.push(std::mem::take(&mut now));
                any = false;
            }
            letter if letter.is_whitespace() && !quoted => {}
            letter => {
                now.push(letter);
                any = true;
            }
        }
    }
    if any {
        names.push(now);
    }
    names
}
