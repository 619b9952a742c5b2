//! From the text of files to the wish: the loader and the reading together.

use std::collections::BTreeMap;

use crate::compose::diagnostic::render_one;
use crate::compose::{Diagnostic, FileProblem, Files, LoadRequest, Loaded, load};
use crate::declared::container::MountKind;
use crate::declared::{Condition, Settled, declare};
use crate::identity::ServiceName;

/// Files in memory.
struct Texts(BTreeMap<&'static str, &'static str>);

impl Files for Texts {
    fn read(&self, path: &str, _limit: u64) -> Result<Vec<u8>, FileProblem> {
        self.0.get(path).map(|text| text.as_bytes().to_vec()).ok_or(FileProblem::Missing)
    }

    fn is_directory(&self, _path: &str) -> bool {
        false
    }
}

const FILE: &str = "/srv/shop/compose.yaml";

fn loaded(text: &'static str, environment: &[(&str, &str)]) -> Loaded {
    let request = LoadRequest {
        working_directory: "/srv/shop".into(),
        files: vec![FILE.into()],
        environment: environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..LoadRequest::default()
    };
    let files = Texts(BTreeMap::from([(FILE, text), ("/srv/shop/web.env", "FROM_FILE=\"a b\"\n")]));
    load(&request, &files).unwrap_or_else(|complaints| panic!("{}", complaints.render()))
}

fn settled(text: &'static str, environment: &[(&str, &str)]) -> Settled {
    let loaded = loaded(text, environment);
    declare(&loaded).unwrap_or_else(|complaints| panic!("{}", rendered(&complaints, &loaded)))
}

fn rendered(complaints: &[Diagnostic], loaded: &Loaded) -> String {
    complaints.iter().map(|complaint| render_one(complaint, &loaded.sources)).collect()
}

const SHOP: &str = r#"
name: shop
services:
  db:
    image: postgres:16
    volumes: [data:/var/lib/postgresql/data, ./init:/init:ro]
    healthcheck: { test: pg_isready, interval: 5s }
    restart: unless-stopped
  web:
    build: ./web
    command: sh -c 'echo $$HOME'
    env_file: web.env
    environment: [TAG=$TAG, UNSET, "PRICE=5$$"]
    ports: ["127.0.0.1:8080:80", "9000-9001:9000-9001"]
    networks: { default: {}, supabase: { aliases: [shop-web] } }
    depends_on: { db: { condition: service_healthy } }
    deploy: { resources: { limits: { cpus: "0.5", memory: 64m } } }
    configs: [{ source: motd, target: /etc/motd }]
volumes: { data: {} }
networks: { supabase: { external: true, name: supabase_default } }
configs: { motd: { content: "hello\n" } }
x-mainstay: { requires: [supabase] }
"#;

#[test]
fn a_whole_project_is_read_from_its_text() {
    let Settled { declared, warnings } = settled(SHOP, &[("TAG", "1.2")]);
    assert_eq!(warnings, []);
    assert_eq!((declared.stack.as_str(), declared.directory.as_str()), ("shop", "/srv/shop"));
    assert_eq!(declared.files, [FILE]);
    assert_eq!(declared.requires.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["supabase"]);
    let web = &declared.services[&ServiceName::new("web").expect("a name")];
    assert_eq!(web.image, "shop-web");
    assert_eq!(web.build.as_ref().map(|build| build.context.as_str()), Some("/srv/shop/web"));
    let spec = &web.container;
    assert_eq!(spec.command, Some(["sh", "-c", "echo $HOME"].map(str::to_owned).to_vec()));
    let values: Vec<_> = spec.environment.iter().map(|(name, value)| (name.as_str(), value.reveal())).collect();
    assert_eq!(values, [("FROM_FILE", "a b"), ("PRICE", "5$"), ("TAG", "1.2")]);
    let ports: Vec<_> = spec.ports.iter().map(|port| (port.target, port.published.as_deref())).collect();
    assert_eq!(ports, [(80, Some("8080")), (9000, Some("9000")), (9001, Some("9001"))]);
    assert_eq!((spec.limits.nano_cpus, spec.limits.memory_bytes), (Some(500_000_000), Some(64 << 20)));
    assert_eq!(spec.injected[0].content.reveal(), "hello\n");
    let networks: Vec<&str> = web.attachments.iter().map(|attachment| attachment.network.as_str()).collect();
    assert_eq!(networks, ["shop_default", "supabase_default"]);
    assert_eq!(web.attachments[1].aliases, ["shop-web", "web"]);
    assert_eq!(web.depends_on.values().map(|other| other.condition).collect::<Vec<_>>(), [Condition::Healthy]);
    let db = &declared.services[&ServiceName::new("db").expect("a name")].container;
    let mounts: Vec<_> = db.mounts.iter().map(|mount| (mount.kind, mount.source.as_deref())).collect();
    assert_eq!(mounts, [(MountKind::Volume, Some("shop_data")), (MountKind::Bind, Some("/srv/shop/init"))]);
}

#[test]
fn what_a_namespace_or_a_link_implies_is_waited_for() {
    let text = "services:\n  vpn: { image: a }\n  web: { image: b, network_mode: 'service:vpn' }\n";
    let declared = settled(text, &[]).declared;
    let web = &declared.services[&ServiceName::new("web").expect("a name")];
    assert_eq!(web.depends_on.len(), 1);
}

#[test]
fn a_complaint_has_its_line() {
    let text = "services:\n  web:\n    image: nginx\n    x-mainstay:\n      route: []\nx-mainstay:\n  schedules: {}\n";
    let loaded = loaded(text, &[]);
    let complaints = declare(&loaded).expect_err("the word does not exist");
    assert_eq!(
        rendered(&complaints, &loaded),
        "error: `services.web.x-mainstay.route` is not a word that Mainstay knows\n  --> /srv/shop/compose.yaml:5:7\n 5 |       route: []\n   |       ^\n  hint: did you mean `routes`?\nwarning: `x-mainstay.schedules` is not honoured by this version\n  --> /srv/shop/compose.yaml:7:3\n 7 |   schedules: {}\n   |   ^\n"
    );
}

#[test]
fn a_secret_from_the_environment_is_injected() {
    let text = "services:\n  web:\n    image: nginx\n    secrets: [key]\nsecrets:\n  key: { environment: KEY }\n";
    let declared = settled(text, &[("KEY", "s3cret")]).declared;
    let web = &declared.services[&ServiceName::new("web").expect("a name")];
    assert_eq!(web.container.injected[0].content.reveal(), "s3cret");
}
