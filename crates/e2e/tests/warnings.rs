//! What a plan warns about, because it would have prevented the incident: the variable and the service are named, the
//! value never is.

use mainstay_e2e::{Ran, Scene, docker_ok, require_engine};

/// Everything that the plan says to a person; the value of a secret in the file is never in it.
fn planned(scene: &Scene, stack: &str) -> String {
    let plan: Ran = scene.on(stack, &["plan"]).ok();
    let said = plan.stdout + &plan.stderr;
    assert!(!said.contains("s3cret"), "a value is shown:\n{said}");
    let json = scene.on(stack, &["--json", "plan"]).ok();
    assert!(!json.stdout.contains("s3cret") && !json.stderr.contains("s3cret"), "a value is shown:\n{}", json.stdout);
    said
}

/// What is wrapped to the width of a page, without that.
fn one_line(said: &str) -> String {
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn warns(said: &str, words: &[&str]) {
    let warned = said.split("warning").skip(1).any(|warning| words.iter().all(|word| warning.contains(word)));
    assert!(warned, "no warning has {words:?}:\n{said}");
}

#[test]
fn of_a_host_that_no_network_of_the_service_resolves() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("nohost");
    scene.stack(
        "one",
        "
services:
  app:
    image: mainstay-test/tiny:1
    networks: [front]
    environment:
      NC_DB: 'pg://supabase-db:5432?u=nocodb&p=s3cret&d=nocodb'
  supabase-db:
    image: mainstay-test/tiny:1
    networks: [back]
networks: { front: {}, back: {} }
",
    );
    warns(&planned(&scene, "one"), &["NC_DB", "app", "supabase-db"]);
}

#[test]
fn of_such_a_host_in_every_usual_form_of_a_connection() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("forms");
    let mut silent = Vec::new();
    for (variable, value) in [
        ("DATABASE_URL", "postgres://user:s3cret@other-db:5432/app?sslmode=disable"),
        ("REDIS_URL", "redis://:s3cret@other-db:6379/0"),
        ("BACKEND_ORIGIN", "http://other-db:8080/s3cret"),
        ("PGHOST", "other-db"),
        ("DB_HOST", "other-db"),
        ("SPRING_DATASOURCE_URL", "jdbc:postgresql://other-db:5432/app?password=s3cret"),
        ("CONNECTION_STRING", "Host=other-db;Username=u;Password=s3cret"),
        ("DSN", "host=other-db user=u password=s3cret dbname=app"),
        ("BROKERS", "other-db:9092"),
    ] {
        let stack = variable.to_lowercase().replace('_', "-");
        scene.stack(
            &stack,
            &format!(
                "
services:
  app: {{ image: 'mainstay-test/tiny:1', networks: [front], environment: {{ {variable}: '{value}' }} }}
  other-db: {{ image: 'mainstay-test/tiny:1', networks: [back] }}
networks: {{ front: {{}}, back: {{}} }}
"
            ),
        );
        let said = planned(&scene, &stack);
        let words = [variable, "app", "other-db"];
        if !said.split("warning").skip(1).any(|warning| words.iter().all(|word| warning.contains(word))) {
            silent.push(format!("{variable}: {value}"));
        }
    }
    assert!(silent.is_empty(), "no warning of\n{}", silent.join("\n"));
}

#[test]
fn of_a_service_of_another_stack_whose_network_is_not_joined() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("otherstack");
    scene.stack("data", "services:\n  supabase-db: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }\n");
    scene.on("data", &["up"]).ok();
    scene.stack(
        "web",
        "services:\n  app: { image: 'mainstay-test/tiny:1', environment: { NC_DB: 'pg://supabase-db:5432?p=s3cret' } }\n",
    );
    let (network, stack) = (scene.network("data"), scene.name("data"));
    let fix = format!("networks: {{ {stack}: {{ external: true, name: {network} }} }}");
    let words = ["NC_DB", "`app`", "`supabase-db`", &network, &fix, &format!("`networks: [default, {stack}]`")];
    warns(&one_line(&planned(&scene, "web")), &words);
    // A stack that is down now is up later: its network is as needed then.
    scene.on("data", &["stop"]).ok();
    warns(&one_line(&planned(&scene, "web")), &words);
    warns(&one_line(&scene.on("web", &["up"]).ok().stderr), &words);
    // The fix, as it was told, is all that has to be done.
    scene.on("data", &["start"]).ok();
    scene.stack(
        "web",
        "
services:
  app:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    networks: [default, '{stack:data}']
    environment: { NC_DB: 'pg://supabase-db:5432?p=s3cret' }
networks: { '{stack:data}': { external: true, name: '{stack:data}_default' } }
",
    );
    let said = planned(&scene, "web");
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn of_the_generated_name_of_a_container_of_another_stack_under_any_key() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("anykey");
    scene.stack("data", "services:\n  db: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }\n");
    scene.on("data", &["up"]).ok();
    scene.stack(
        "web",
        "
services:
  app:
    image: mainstay-test/tiny:1
    environment: { X: '{stack:data}-db-1', Y: '{stack:data}-db-7', CONNECTION: postgres }
",
    );
    let said = one_line(&planned(&scene, "web"));
    warns(&said, &["`X`", "`app`", &scene.container("data", "db"), &scene.network("data"), "use the alias `db`"]);
    assert!(!said.contains("`Y`") && !said.contains("CONNECTION"), "{said}");
}

#[test]
fn of_the_generated_name_of_a_container_used_as_a_host() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("generated");
    scene.stack(
        "one",
        "
services:
  app:
    image: mainstay-test/tiny:1
    environment: { DATABASE_URL: 'postgres://u:s3cret@{stack:one}-db-1:5432/x' }
  db: { image: 'mainstay-test/tiny:1' }
",
    );
    warns(&planned(&scene, "one"), &["DATABASE_URL", "app", &scene.container("one", "db")]);
}

#[test]
fn of_the_generated_name_that_a_panel_gave_to_a_container() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("panel");
    // As in the incident: `supabase-db-<id>`.
    scene.stack("data", "services:\n  db: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }\n");
    scene.on("data", &["up"]).ok();
    let generated = scene.name("supabase-db-vk8cg4wkwc4s0ws8ooo0ck4c");
    docker_ok(&["rename", &scene.container("data", "db"), &generated]);
    scene.stack(
        "web",
        "
services:
  app:
    image: mainstay-test/tiny:1
    networks: [data]
    environment: { NC_DB: 'pg://{stack:supabase-db-vk8cg4wkwc4s0ws8ooo0ck4c}:5432?p=s3cret' }
networks: { data: { external: true, name: '{stack:data}_default' } }
",
    );
    warns(&planned(&scene, "web"), &["NC_DB", "app", &generated]);
}

#[test]
fn of_two_services_with_one_alias_on_a_shared_network() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("alias");
    scene.stack(
        "one",
        "
services:
  blue: { image: 'mainstay-test/tiny:1', networks: { default: { aliases: [database] } } }
  green: { image: 'mainstay-test/tiny:1', networks: { default: { aliases: [database] } } }
",
    );
    warns(&planned(&scene, "one"), &["database", "blue", "green"]);
}

#[test]
fn of_an_alias_that_another_stack_has_on_the_shared_network() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("alias2");
    scene.stack("data", "services:\n  db: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }\n");
    scene.on("data", &["up"]).ok();
    // Both would be called `db` there, as happens when two stacks are written from one template.
    scene.stack(
        "web",
        "
services:
  db: { image: 'mainstay-test/tiny:1', networks: [default, data] }
networks: { data: { external: true, name: '{stack:data}_default' } }
",
    );
    warns(&planned(&scene, "web"), &["db", &scene.network("data")]);
}

#[test]
fn of_an_external_network_that_no_stack_makes() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("external");
    let network = scene.foreign_network("byhand");
    scene.stack(
        "one",
        "
services:
  app: { image: 'mainstay-test/tiny:1', networks: [out] }
networks: { out: { external: true, name: '{stack:byhand}' } }
",
    );
    warns(&planned(&scene, "one"), &[&network]);
}

#[test]
fn of_nothing_when_all_is_well() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("well");
    scene.stack(
        "data",
        "
services:
  db:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    networks: { default: { aliases: [supabase-db] } }
",
    );
    scene.stack(
        "web",
        "
services:
  app:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    hostname: app-host
    extra_hosts: ['legacy.internal=10.0.0.5']
    networks: [default, data]
    environment:
      NC_DB: 'pg://supabase-db:5432?u=nocodb&p=s3cret&d=nocodb'
      SELF: http://app:8080
      CACHE: redis://cache:6379
      API: https://api.example.com/v1
      LOCAL: http://localhost:3000
      LOOPBACK: 127.0.0.1:9000
      ADDRESS: postgres://u:s3cret@10.1.2.3:5432/x
      IPV6: 'http://[::1]:80'
      LEGACY: http://legacy.internal/
      DOCKER: http://host.docker.internal:80
      MODE: production
      LOG_LEVEL: info:debug
      RATIO: '16:9'
      TIME: '12:30'
      IMAGE: ghcr.io/acme/web:1.2
      PATHS: /usr/bin:/bin
      MAIL_FROM: someone@example.com
      TZ: Europe/Warsaw
      KEY: 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw:ggSjAgEAAoIBAQ=='
      JAVA_OPTS: '-Xmx512m -Dfile.encoding=UTF-8'
  cache: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }
networks: { data: { external: true, name: '{stack:data}_default' } }
x-mainstay: { requires: ['{stack:data}'] }
",
    );
    scene.on("data", &["up"]).ok();
    let said = planned(&scene, "web");
    assert!(!said.contains("warning"), "{said}");
    let up = scene.on("web", &["up"]).ok();
    assert!(!up.stderr.contains("warning"), "{}", up.stderr);
    let again = planned(&scene, "web");
    assert!(!again.contains("warning"), "{again}");
}
