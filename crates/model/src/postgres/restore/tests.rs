#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use super::*;
use crate::declared::Hidden;
use crate::postgres::backup::{
    Contents, DatabaseFacts, LargeObjects, Membership, Role, RoleAttributes, RowsAs, SchemaText, ServerFacts, Setting,
    Settings,
};

fn contents() -> Contents {
    let login = RoleAttributes { login: true, inherit: true, connection_limit: -1, ..RoleAttributes::default() };
    let root = RoleAttributes { superuser: true, ..login.clone() };
    let member = Membership { role: "anon".into(), admin: false, inherit: Some(false), set: Some(true) };
    let setting = |name: &str, value: &str| Setting { name: name.into(), value: Hidden::new(value) };
    Contents {
        server: ServerFacts {
            version: "17.1".into(),
            version_num: 170_001,
            system_id: None,
            lsn: None,
            in_recovery: false,
        },
        database: DatabaseFacts {
            name: "crm".into(),
            owner: "postgres".into(),
            encoding: "UTF8".into(),
            collate: "en_US.utf8".into(),
            ctype: "en_US.utf8".into(),
            provider: "libc".into(),
            locale: None,
            acl: vec!["=T/postgres".into(), "postgres=CTc/postgres".into(), "we\"b=c*/postgres".into()],
            bytes: 1,
        },
        extensions: BTreeMap::new(),
        roles: BTreeMap::from([
            ("postgres".to_owned(), Role { attributes: login.clone(), member_of: vec![member] }),
            ("anon".to_owned(), Role::default()),
            ("admin".to_owned(), Role { attributes: root, member_of: Vec::new() }),
        ]),
        settings: vec![
            Settings {
                role: Some("anon".into()),
                in_database: false,
                settings: vec![setting("statement_timeout", "3s")],
            },
            Settings {
                role: None,
                in_database: true,
                settings: vec![setting("search_path", "\"$user\", public, \"a,b\""), setting("app.key", "it's")],
            },
        ],
        tables: BTreeMap::new(),
        sequences: BTreeMap::new(),
        large_objects: LargeObjects::default(),
        schema: SchemaText { sha256: String::new(), bytes: 0 },
        rows_as: RowsAs::Text,
    }
}

#[test]
fn a_cluster_begins_with_a_superuser_that_is_one_there_too() {
    assert_eq!(bootstrap(&contents()), "admin");
    let mut usual = contents();
    usual.roles.get_mut("postgres").unwrap().attributes.superuser = true;
    assert_eq!(bootstrap(&usual), "postgres");
    usual.roles.clear();
    assert_eq!(bootstrap(&usual), "mainstay_bootstrap");
}

#[test]
fn roles_are_made_with_all_they_have_and_without_passwords() {
    let made = roles(&contents().roles, "admin");
    assert!(made[0].starts_with("ALTER ROLE \"admin\" WITH SUPERUSER INHERIT"), "{made:?}");
    assert!(made[1].starts_with("CREATE ROLE \"anon\" WITH NOSUPERUSER NOINHERIT"), "{made:?}");
    assert!(!made.iter().any(|sql| sql.contains("PASSWORD")));
    let roles = contents().roles;
    assert_eq!(memberships(&roles, 17), ["GRANT \"anon\" TO \"postgres\" WITH ADMIN FALSE, INHERIT FALSE, SET TRUE"]);
    assert_eq!(memberships(&roles, 15), ["GRANT \"anon\" TO \"postgres\""]);
}

#[test]
fn the_database_is_made_as_it_was() {
    let facts = contents().database;
    assert_eq!(
        create_database(&facts, "co\"py", 15),
        "CREATE DATABASE \"co\"\"py\" TEMPLATE template0 OWNER \"postgres\" ENCODING 'UTF8' LC_COLLATE 'en_US.utf8' \
         LC_CTYPE 'en_US.utf8' LOCALE_PROVIDER libc"
    );
    let icu = DatabaseFacts { provider: "icu".into(), locale: Some("de".into()), ..facts.clone() };
    assert!(create_database(&icu, "a", 17).ends_with("LOCALE_PROVIDER icu ICU_LOCALE 'de'"));
    let given = grants(&facts, "copy");
    assert_eq!(given.len(), 5, "{given:?}");
    assert!(given[2].contains("GRANT TEMPORARY ON DATABASE \"copy\" TO PUBLIC"));
    assert!(grants(&DatabaseFacts { acl: Vec::new(), ..facts }, "copy").is_empty());
}

#[test]
fn settings_are_set_where_they_were_and_lists_stay_lists() {
    let set = settings(&contents(), "copy", true);
    assert_eq!(set[0], "ALTER ROLE \"anon\" SET \"statement_timeout\" TO '3s'");
    assert_eq!(set[1], "ALTER DATABASE \"copy\" SET \"search_path\" TO '$user', 'public', 'a,b'");
    assert_eq!(set[2], "ALTER DATABASE \"copy\" SET \"app\".\"key\" TO 'it''s'");
    // The roles of a server that lives are not touched.
    assert_eq!(settings(&contents(), "copy", false).len(), 2);
}
