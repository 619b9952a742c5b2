//! Coolify's own keys, and volumes that nobody declared.

use mainstay_model::declared::container::MountKind;

use super::{declared, load_with, loaded, service, variable, warnings};

#[test]
fn a_named_volume_needs_no_declaration() {
    let declared = declared("services: { db: { image: a, volumes: ['data:/var/lib/data', 'data:/again', './x:/x'] } }");
    assert_eq!(declared.volumes["data"].name, "shop_data");
    assert_eq!(service(&declared, "db").container.mounts[0].source.as_deref(), Some("shop_data"));
    assert_eq!(declared.volumes.len(), 1);
}

#[test]
fn a_declared_volume_stays_as_it_is() {
    let text =
        "services: { db: { image: a, volumes: ['data:/d', 'more:/m'] } }\nvolumes: { data: { name: own }, more: }\n";
    let declared = declared(text);
    let names: Vec<&str> = declared.volumes.values().map(|volume| volume.name.as_str()).collect();
    assert_eq!(names, ["own", "shop_more"]);
}

const FILES: &str = r#"
services:
  db:
    image: a
    volumes:
      - type: bind
        source: ./init/99-roles.sql
        target: /init/99-roles.sql
        read_only: true
        content: |
          \set pgpass `echo "$POSTGRES_PASSWORD"`
          SELECT '${NOT_A_VARIABLE:?really}', '$$1', '${';
      - source: ${FOLDER:-./srv}
        target: /srv
        is_directory: true
      - { type: bind, source: ./also, target: /also, isDirectory: true }
      - { type: bind, source: ./empty, target: /empty, content: "" }
"#;

#[test]
fn the_content_of_a_file_comes_along_as_it_is_written() {
    let declared = declared(FILES);
    let db = service(&declared, "db");
    let [roles, empty] = db.files.as_slice() else { panic!("{:?}", db.files) };
    assert_eq!(roles.path, "/srv/shop/init/99-roles.sql");
    assert_eq!(
        roles.content.reveal(),
        "\\set pgpass `echo \"$POSTGRES_PASSWORD\"`\nSELECT '${NOT_A_VARIABLE:?really}', '$$1', '${';\n"
    );
    assert_eq!((empty.path.as_str(), empty.content.reveal()), ("/srv/shop/empty", ""));
    assert!(db.container.mounts[0].read_only);
}

#[test]
fn a_folder_is_made_when_it_is_missing() {
    let declared = declared(FILES);
    for mount in &service(&declared, "db").container.mounts[1..3] {
        assert_eq!(mount.kind, MountKind::Bind);
        assert!(mount.create_host_path, "{mount:?}");
    }
}

#[test]
fn a_services_content_does_not_change_what_its_container_is() {
    let fields = |text: &str| service(&declared(text), "db").fields();
    assert_eq!(fields(FILES), fields(&FILES.replace("SELECT", "select")));
}

#[test]
fn what_does_not_count_for_health_is_not_waited_for() {
    let declared = declared(
        "services: { job: { image: a, exclude_from_hc: true }, web: { image: a, exclude_from_hc: 'false' }, db: { image: a } }",
    );
    let unwaited: Vec<bool> = ["job", "web", "db"].map(|name| service(&declared, name).unwaited).to_vec();
    assert_eq!(unwaited, [true, false, false]);
}

#[test]
fn places_stay_where_they_were_written() {
    let loaded = loaded(FILES);
    let mount = loaded.project.get("services").and_then(|all| all.get("db")?.get("volumes")?.as_list()?.first());
    let content = mount.and_then(|mount| mount.get("x-mainstay")?.get("content")).expect("it is there");
    assert_eq!((content.span.line, content.span.column), (11, 11));
}

#[test]
fn a_word_behind_a_question_mark_is_a_suggested_value_and_a_sentence_a_reason() {
    let text = "
services:
  app:
    image: a
    environment:
      - BEACON=${BEACON:?false}
      - LEVEL=${LEVEL?info}
      - SERVICE_URL_APP_80
      - HOME_URL=${HOME_URL:?https://$SERVICE_FQDN_APP/}
";
    let seen = loaded(text);
    let told = warnings(&seen, "suggested-value");
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].contains("`BEACON`") && told[0].contains("`false`"), "{told:?}");
    let declared = declared(text);
    let shown = ["BEACON", "LEVEL", "HOME_URL"].map(|key| variable(&declared, "app", key));
    assert_eq!(shown, ["false", "info", "https://app-shop.localhost/"]);
    for word in ["", "you must set it"] {
        let refused = load_with(&text.replace(":?false", &format!(":?{word}")), |_| {}).unwrap_err();
        assert!(refused.list.iter().any(|one| one.code == "missing-variable"), "{word}");
    }
}
