//! `SERVICE_URL_…` and `SERVICE_FQDN_…`: values, and routes.

use super::{declared, declared_with, load_with, loaded, routes, set, variable, warnings};

const ONE: &str = "
services:
  app:
    image: a
    environment:
      - SERVICE_URL_APP_8080
      - PUBLIC=$SERVICE_URL_APP
      - DOMAIN=${SERVICE_FQDN_APP}
      - HOOKS=${SERVICE_URL_APP_8080}/hooks
";

#[test]
fn a_bare_variable_is_a_value_and_a_route() {
    let declared = declared(ONE);
    assert_eq!(variable(&declared, "app", "SERVICE_URL_APP_8080"), "https://app-shop.localhost");
    assert_eq!(variable(&declared, "app", "PUBLIC"), "https://app-shop.localhost");
    assert_eq!(variable(&declared, "app", "DOMAIN"), "app-shop.localhost");
    assert_eq!(variable(&declared, "app", "HOOKS"), "https://app-shop.localhost/hooks");
    assert_eq!(routes(&declared, "app"), ["app-shop.localhost -> 8080"]);
}

#[test]
fn the_domain_comes_from_the_flag_then_the_file_then_the_variable() {
    let host = |text: &str, flag: Option<&str>, variable: Option<&str>| {
        let declared = declared_with(text, |request| {
            request.domain = flag.map(str::to_owned);
            request.environment.extend(variable.map(|domain| ("MAINSTAY_DOMAIN".to_owned(), domain.to_owned())));
        });
        routes(&declared, "app").concat()
    };
    let file = format!("{ONE}x-mainstay: {{ domain: 'apps.${{TOP:-example}}' }}\n");
    assert_eq!(host(&file, Some("Flag.example."), Some("variable.example")), "app-shop.flag.example -> 8080");
    assert_eq!(host(&file, None, Some("variable.example")), "app-shop.apps.example -> 8080");
    assert_eq!(host(ONE, None, Some("variable.example")), "app-shop.variable.example -> 8080");
}

#[test]
fn several_services_share_a_host_by_their_paths() {
    let declared = declared(
        "
services:
  api: { image: a, environment: ['SERVICE_URL_SUITE=/', 'SELF=$SERVICE_URL_SUITE'] }
  console: { image: a, environment: ['SERVICE_URL_SUITE=/console'] }
  live: { image: a, environment: { SERVICE_URL_SUITE_3000: /v1/live } }
",
    );
    assert_eq!(routes(&declared, "api"), ["suite-shop.localhost -> 80"]);
    assert_eq!(routes(&declared, "console"), ["suite-shop.localhost/console -> 80"]);
    assert_eq!(routes(&declared, "live"), ["suite-shop.localhost/v1/live -> 3000"]);
    assert_eq!(variable(&declared, "console", "SERVICE_URL_SUITE"), "https://suite-shop.localhost/console");
    assert_eq!(variable(&declared, "api", "SELF"), "https://suite-shop.localhost");
}

#[test]
fn an_address_that_has_a_path_only_has_it_wherever_it_is_used() {
    let declared = declared(
        "
services:
  api: { image: a, environment: ['SERVICE_URL_API_2000=/v1'] }
  web: { image: a, environment: ['API=$SERVICE_URL_API', 'HOST=$SERVICE_FQDN_API'] }
",
    );
    assert_eq!(variable(&declared, "web", "API"), "https://api-shop.localhost/v1");
    assert_eq!(variable(&declared, "web", "HOST"), "api-shop.localhost/v1");
    assert_eq!(routes(&declared, "api"), ["api-shop.localhost/v1 -> 2000"]);
    assert!(routes(&declared, "web").is_empty());
}

#[test]
fn the_one_with_a_port_says_the_port_of_the_bare_one() {
    let text =
        "services: { app: { image: a, environment: [SERVICE_FQDN_APP, SERVICE_FQDN_APP_3000, SERVICE_URL_APP] } }";
    let declared = declared(text);
    assert_eq!(routes(&declared, "app"), ["app-shop.localhost -> 3000"]);
    assert_eq!(variable(&declared, "app", "SERVICE_FQDN_APP_3000"), "app-shop.localhost");
    let loaded = loaded("services: { app: { image: a, environment: [SERVICE_URL_APP_1, SERVICE_URL_APP_2] } }");
    assert_eq!(warnings(&loaded, "two-ports").len(), 1);
}

#[test]
fn the_port_comes_from_the_heading_or_from_expose_or_is_the_webs() {
    let body = "services: { app: { image: a, environment: [SERVICE_URL_APP], expose: ['5000'] } }\n";
    assert_eq!(
        routes(&declared(&format!("# slogan: an app\n# port: 3000\n\n{body}")), "app"),
        ["app-shop.localhost -> 3000"]
    );
    assert_eq!(routes(&declared(body), "app"), ["app-shop.localhost -> 5000"]);
    assert_eq!(routes(&declared(&body.replace("'5000'", "'1', '2'")), "app"), ["app-shop.localhost -> 80"]);
}

#[test]
fn an_address_that_is_only_used_belongs_to_the_service_of_its_name() {
    let text = "
services:
  supabase-kong: { image: a }
  web: { image: b, environment: ['API=${SERVICE_URL_SUPABASEKONG_8000}', 'WS=$SERVICE_FQDN_SUPABASEKONG'] }
";
    assert_eq!(routes(&declared(text), "supabase-kong"), ["supabasekong-shop.localhost -> 8000"]);
    let loaded = loaded("services: { web: { image: b, environment: ['API=${SERVICE_URL_OTHER}'] } }");
    let told = warnings(&loaded, "no-route");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("`other-shop.localhost`") && told[0].contains("SERVICE_URL_OTHER_<port>"), "{told:?}");
}

#[test]
fn hyphens_and_underscores_of_a_name_are_one() {
    let text = "
services:
  my-app: { image: a, environment: [SERVICE_URL_MY-APP_3000] }
  web: { image: b, environment: ['A=$SERVICE_URL_MY_APP', 'B=$SERVICE_FQDN_MYAPP'] }
";
    let declared = declared(text);
    assert_eq!(routes(&declared, "my-app"), ["my-app-shop.localhost -> 3000"]);
    assert_eq!(variable(&declared, "web", "A"), "https://my-app-shop.localhost");
    assert_eq!(variable(&declared, "web", "B"), "my-app-shop.localhost");
    assert_eq!(variable(&declared, "my-app", "SERVICE_URL_MY-APP_3000"), "https://my-app-shop.localhost");
}

#[test]
fn what_the_environment_says_wins_in_values_and_in_routes() {
    let declared = declared_with(ONE, |request| set(request, &[("SERVICE_URL_APP", "http://shop.example.com:8443/x")]));
    assert_eq!(routes(&declared, "app"), ["shop.example.com -> 8080"]);
    assert_eq!(variable(&declared, "app", "PUBLIC"), "http://shop.example.com:8443/x");
    assert_eq!(variable(&declared, "app", "DOMAIN"), "shop.example.com");
    let bare = declared_with(ONE, |request| set(request, &[("SERVICE_FQDN_APP", "shop.example.com")]));
    assert_eq!(variable(&bare, "app", "SERVICE_URL_APP_8080"), "https://shop.example.com");
}

#[test]
fn a_variable_with_a_value_of_its_own_is_left_alone() {
    let declared =
        declared("services: { app: { image: a, environment: { SERVICE_URL_APP: 'https://else.example' } } }");
    assert_eq!(variable(&declared, "app", "SERVICE_URL_APP"), "https://else.example");
    assert!(routes(&declared, "app").is_empty());
}

#[test]
fn nothing_is_put_in_where_variables_stay_as_written() {
    let loaded = load_with(ONE, |request| request.options.interpolate = false).unwrap();
    let text = mainstay_model::compose::print::to_yaml(&loaded);
    assert!(text.contains("SERVICE_URL_APP_8080") && !text.contains("https://"), "{text}");
}
