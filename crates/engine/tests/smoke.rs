//! Smoke checks against real servers: Caddy in a container with an authority of its own, a small web server, and
//! sockets that misbehave.
#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test that unwraps fails with the place")]

mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mainstay_engine::smoke::{Door, Heard, Patience, Smoke, Ways};
use mainstay_model::declared::Hidden;
use mainstay_model::smoke::{Address, Check, Expected, Pattern, Report, Rule, Tls, Whence};
use support::docker;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Barrier;

const CADDYFILE: &str = r#"
{
    admin off
    skip_install_trust
    fallback_sni fallback.example
}
(internal) {
    tls internal
}
pontea.localhost { 
    import internal
    header X-Frame-Options DENY
    respond /told "{http.request.proto} {http.request.host} {http.request.header.X-Key}" 200
    respond "the front page is ready" 200
}
www.pontea.localhost {
    import internal
    redir https://pontea.localhost 302
}
supabase.pontea.localhost {
    import internal
    respond `{"message":"No API key found in request"}` 401
}
supabase-studio.pontea.localhost {
    import internal
    redir * /project/default 307
}
nocodb.pontea.localhost {
    import internal
    redir * /dashboard 302
}
expired.example {
    tls /certificates/expired.pem /certificates/expired.key
    respond "old" 200
}
soon.example {
    tls /certificates/soon.pem /certificates/soon.key
    respond "soon" 200
}
days.example {
    tls /certificates/days.pem /certificates/days.key
    respond "a certificate of six days" 200
}
fallback.example {
    tls /certificates/fallback.pem /certificates/fallback.key
    respond "good" 200
}
"#;

/// A Caddy in a container, with certificates of the test's own authority.
struct Caddy {
    name: String,
    _folder: tempfile::TempDir,
    door: Door,
    /// Caddy's own authority and the test's.
    roots: String,
}

impl Caddy {
    async fn new(what: &str) -> Option<Caddy> {
        support::engine().await?;
        let name = format!("smoke-{what}-{}", std::process::id());
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Caddyfile"), CADDYFILE).unwrap();
        let root = certificates(folder.path());
        let mount = format!("{}:/certificates", folder.path().display());
        let label = ["--label", "dev.mainstay.test=smoke-room"];
        let ports = ["-p", "127.0.0.1::80", "-p", "127.0.0.1::443"];
        let run = ["caddy", "run", "--adapter", "caddyfile", "--config", "/certificates/Caddyfile"];
        docker(&[&["run", "-d", "--name", &name], &label[..], &ports, &["-v", &mount, "caddy:2"], &run].concat());
        let port = |inside: &str| docker(&["port", &name, inside]).lines().next().unwrap().parse().unwrap();
        let door = Door { http: port("80/tcp"), https: port("443/tcp") };
        let mut caddy = Caddy { name, _folder: folder, door, roots: String::new() };
        let own = caddy.own_root().await;
        caddy.roots = format!("{own}\n{root}");
        Some(caddy)
    }

    /// Caddy makes its authority while it starts.
    async fn own_root(&self) -> String {
        for _ in 0..200 {
            let path = "/data/caddy/pki/authorities/local/root.crt";
            let output = Command::new("docker").args(["exec", &self.name, "cat", path]).output().unwrap();
            if output.status.success() {
                return String::from_utf8(output.stdout).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no authority: {}", docker(&["logs", &self.name]));
    }

    fn ways(&self) -> Ways {
        Ways { edge: Some(self.door), root: Some(self.roots.clone()), ..Ways::default() }
    }
}

impl Drop for Caddy {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "-f", "-v", &self.name]).output();
    }
}

/// Writes a certificate and a key for each name, and gives the root that signed them.
fn certificates(folder: &std::path::Path) -> String {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "the test's authority");
    let key = KeyPair::generate().unwrap();
    let root = authority.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(authority, key);
    let day = |days: i64| {
        // A day that is some days from now, at midnight: certificates are made out by days here.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
        let epoch = date_time_ymd(1970, 1, 1);
        epoch + Duration::from_secs(u64::try_from(now / 86_400 + days).unwrap() * 86_400)
    };
    for (file, from, to) in [("expired", -90, -2), ("soon", -86, 4), ("days", -2, 4), ("fallback", -1, 89)] {
        let mut leaf = CertificateParams::new(vec![format!("{file}.example")]).unwrap();
        (leaf.not_before, leaf.not_after) = (day(from), day(to));
        let key = KeyPair::generate().unwrap();
        let signed = leaf.signed_by(&key, &issuer).unwrap();
        std::fs::write(folder.join(format!("{file}.pem")), signed.pem()).unwrap();
        std::fs::write(folder.join(format!("{file}.key")), key.serialize_pem()).unwrap();
    }
    root
}

fn check(url: &str, from: Whence, expected: Expected) -> Check {
    Check {
        name: None,
        url: Address::parse(url).unwrap(),
        method: "GET".into(),
        headers: BTreeMap::new(),
        body: None,
        expected,
        tls: Tls::Valid,
        from,
        container: None,
        within_ms: 20_000,
        timeout_ms: 10_000,
    }
}

fn at_the_edge(url: &str, status: u16) -> Check {
    check(url, Whence::Edge, Expected::status(status))
}

async fn ask(ways: Ways, checks: &[Check], patience: Patience) -> Vec<Report> {
    Smoke::new(ways).unwrap().run(checks, patience, &|_| {}).await
}

async fn ask_once(check: Check) -> Report {
    ask(Ways::default(), &[check], Patience::Once).await.remove(0)
}

/// A socket that does this with everybody who comes.
async fn socket<F, A>(answer: F) -> SocketAddr
where
    F: Fn(tokio::net::TcpStream) -> A + Send + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    address
}

/// Says this to whoever asked.
async fn says(text: &'static str) -> SocketAddr {
    socket(move |mut stream| async move {
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(text.as_bytes()).await;
    })
    .await
}

#[tokio::test]
async fn the_endpoints_of_pontea_are_what_they_are_declared_to_be() {
    let Some(caddy) = Caddy::new("pontea").await else { return };
    let to =
        |location: &str, status| Expected { location: Some(Rule::Is(location.into())), ..Expected::status(status) };
    let mut checks = vec![
        check(
            "https://pontea.localhost",
            Whence::Edge,
            Expected {
                contains: vec!["front page".into()],
                matches: Some(Pattern::new("ready$").unwrap()),
                headers: [("x-frame-options".to_owned(), Rule::Is("DENY".into()))].into(),
                ..Expected::status(200)
            },
        ),
        check("https://www.pontea.localhost", Whence::Edge, to("https://pontea.localhost/", 302)),
        at_the_edge("https://supabase.pontea.localhost", 401),
        at_the_edge("https://supabase-studio.pontea.localhost", 307),
        check("https://nocodb.pontea.localhost", Whence::Edge, to("/dashboard", 302)),
        // The way to HTTPS is an answer as well.
        check("http://pontea.localhost/x", Whence::Edge, to("https://pontea.localhost/x", 308)),
    ];
    let right = ask(caddy.ways(), &checks, Patience::AsDeclared).await;
    for report in &right {
        assert!(report.holds && report.reasons.is_empty() && report.warnings.is_empty(), "{report:#?}");
    }
    checks[1].expected = to("https://pontea.localhost/login", 302);
    checks[2].expected = Expected::status(200);
    checks[3].expected = Expected::status(302);
    let wrong = ask(caddy.ways(), &checks, Patience::Once).await;
    let told: Vec<&str> = wrong.iter().flat_map(|report| &report.reasons).map(String::as_str).collect();
    assert_eq!(
        told,
        [
            "expected the location `https://pontea.localhost/login`, it is `https://pontea.localhost`",
            r#"expected 200, answered 401 `Unauthorized`: `{"message":"No API key found in request"}`"#,
            "expected 302, answered 307 `Temporary Redirect`, to `/project/default`",
        ]
    );
}

#[tokio::test]
async fn a_certificate_is_looked_at_as_a_visitor_would() {
    let Some(caddy) = Caddy::new("tls").await else { return };
    let reasons = async |ways: Ways, url: &str| {
        let report = ask(ways, &[at_the_edge(url, 200)], Patience::Once).await.remove(0);
        assert_eq!(report.holds, report.reasons.is_empty());
        report
    };
    let fine = reasons(caddy.ways(), "https://fallback.example").await;
    assert!(fine.holds && fine.warnings.is_empty(), "{fine:#?}");
    let expired = reasons(caddy.ways(), "https://expired.example").await;
    let told = expired.reasons.concat();
    assert!(told.starts_with("the certificate for `expired.example` is not valid: it ended 2 days ago"), "{told}");
    let other = reasons(caddy.ways(), "https://nobody.example").await;
    assert_eq!(
        other.reasons,
        ["the certificate for `nobody.example` is not valid: it is made out to `fallback.example`"]
    );
    let unknown = reasons(Ways { root: None, ..caddy.ways() }, "https://fallback.example").await;
    assert_eq!(
        unknown.reasons,
        ["the certificate for `fallback.example` is not valid: it is signed by nobody who is trusted here"]
    );
    assert!(unknown.hints.concat().contains("from: edge"), "{unknown:#?}");
    let late = reasons(caddy.ways(), "https://soon.example").await;
    assert!(late.holds, "{late:#?}");
    let told = late.warnings.concat();
    assert!(told.starts_with("the certificate of `soon.example` ends in ") && told.ends_with("not renewed"), "{told}");
    // What lives for six days is no late one with four left.
    let short = reasons(caddy.ways(), "https://days.example").await;
    assert!(short.holds && short.warnings.is_empty(), "{short:#?}");
    let any = Check { tls: Tls::Any, ..at_the_edge("https://expired.example", 200) };
    assert!(ask(caddy.ways(), &[any], Patience::Once).await[0].holds);
}

#[tokio::test]
async fn the_edge_sees_the_host_of_the_url_and_what_is_sent() {
    let Some(caddy) = Caddy::new("told").await else { return };
    let mut told = check("https://pontea.localhost/told", Whence::Edge, Expected::status(200));
    told.headers.insert("X-Key".into(), Hidden::new("k1"));
    told.expected.contains.push("HTTP/2.0 pontea.localhost k1".into());
    let report = ask(caddy.ways(), &[told], Patience::AsDeclared).await.remove(0);
    assert!(report.holds, "{report:#?}");
}

#[tokio::test]
async fn a_body_is_looked_into_and_shown_when_it_is_another() {
    let page = says("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\ntiny 1").await;
    let url = format!("http://{page}/");
    let contains = |part: &str| Expected { contains: vec![part.into()], ..Expected::status(200) };
    assert!(ask_once(check(&url, Whence::Outside, contains("tiny"))).await.holds);
    let wrong = ask_once(check(&url, Whence::Outside, contains("tiny 2"))).await;
    assert_eq!(wrong.reasons, ["expected `tiny 2` in the body, which is `tiny 1`"]);
    assert_eq!((wrong.status, wrong.attempts), (Some(200), 1));
}

#[tokio::test]
async fn what_answers_nothing_is_told_by_its_kind() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let silent = socket(|stream| async move {
        let mut stream = stream;
        while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
    })
    .await;
    let closed = says("").await;
    let broken = says("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort").await;
    let ssh = says("SSH-2.0-OpenSSH_9.2\r\n").await;
    let reasons = async |url: String| {
        let mut check = check(&url, Whence::Outside, Expected::status(200));
        check.timeout_ms = 300;
        check.expected.contains.push("x".into());
        ask_once(check).await.reasons.join(" ")
    };
    assert_eq!(reasons(format!("http://{free}/")).await, format!("nobody answers at {free}: connection refused"));
    assert_eq!(reasons(format!("http://{silent}/")).await, "no answer within 0.3 s");
    assert_eq!(reasons(format!("https://{silent}/")).await, "no answer within 0.3 s");
    assert!(reasons(format!("http://{closed}/")).await.starts_with("the answer broke off: "));
    assert!(reasons(format!("http://{broken}/")).await.starts_with("the answer broke off: "));
    assert!(reasons(format!("http://{ssh}/")).await.starts_with("the answer broke off: it is not HTTP"));
    assert!(reasons(format!("https://{ssh}/")).await.ends_with("it does not speak TLS there"));
    assert!(reasons("http://no-such-host.invalid/".into()).await.starts_with("no name server knows"));
}

#[tokio::test]
async fn an_answer_without_an_end_is_an_answer() {
    let endless = socket(|mut stream| async move {
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\ndata: 1\n\n").await;
        while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
    })
    .await;
    let url = format!("http://{endless}/events");
    assert!(ask_once(check(&url, Whence::Outside, Expected::status(200))).await.holds);
    let wrong = ask_once(check(&url, Whence::Outside, Expected::status(204))).await;
    assert_eq!(wrong.reasons, ["expected 204, answered 200 `OK`: `data: 1…`"]);
}

#[tokio::test]
async fn a_check_is_asked_again_until_it_holds_and_says_so_once() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let late = socket(move |mut stream| {
        let is_ready = counter.fetch_add(1, Ordering::SeqCst) >= 3;
        async move {
            let _ = stream.read(&mut [0; 1024]).await;
            let status = if is_ready { "200 OK" } else { "503 Service Unavailable" };
            let _ = stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await;
        }
    })
    .await;
    let heard = Mutex::new(Vec::new());
    let checks = [check(&format!("http://{late}/"), Whence::Outside, Expected::status(200))];
    let told = |said: Heard<'_>| {
        heard.lock().unwrap().push(match said {
            Heard::Again { index, reasons, .. } => format!("{index} again: {}", reasons.join(" ")),
            Heard::Ended { index, report } => format!("{index} ended: {}", report.holds),
        });
    };
    let smoke = Smoke::new(Ways::default()).unwrap();
    let report = smoke.run(&checks, Patience::AsDeclared, &told).await.remove(0);
    assert!(report.holds && report.attempts == 4, "{report:#?}");
    assert_eq!(*heard.lock().unwrap(), ["0 again: expected 200, answered 503 `Service Unavailable`", "0 ended: true"]);
    assert_eq!(asked.load(Ordering::SeqCst), 4, "one that holds is left alone");
}

#[tokio::test]
async fn a_check_that_never_holds_ends_with_its_time_and_its_last_reason() {
    let page = says("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
    let mut never = check(&format!("http://{page}/"), Whence::Outside, Expected::status(200));
    never.within_ms = 500;
    let report = ask(Ways::default(), &[never], Patience::AsDeclared).await.remove(0);
    assert!(!report.holds && report.attempts > 1 && report.waited_ms >= 500, "{report:#?}");
    assert_eq!(report.reasons, ["expected 200, answered 404 `Not Found`"]);
}

#[tokio::test]
async fn a_thousand_checks_are_asked_a_few_at_a_time_and_told_in_their_order() {
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now, high) = (open.clone(), most.clone());
    // Answers come in fours: whoever asks one after the other waits for ever.
    let four = Arc::new(Barrier::new(4));
    let page = socket(move |mut stream| {
        let (now, high, four) = (now.clone(), high.clone(), four.clone());
        async move {
            high.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            four.wait().await;
            let mut request = [0; 1024];
            let read = stream.read(&mut request).await.unwrap_or_default();
            let is_odd = String::from_utf8_lossy(&request[..read]).contains("/odd");
            let status = if is_odd { "404 Not Found" } else { "200 OK" };
            now.fetch_sub(1, Ordering::SeqCst);
            let _ = stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await;
        }
    })
    .await;
    let path = |number: usize| if number.is_multiple_of(2) { "even" } else { "odd" };
    let checks: Vec<Check> = (0..1000)
        .map(|number| {
            let url = format!("http://{page}/{}/{number}", path(number));
            Check { within_ms: 0, ..check(&url, Whence::Outside, Expected::status(200)) }
        })
        .collect();
    let reports = ask(Ways::default(), &checks, Patience::AsDeclared).await;
    for (number, report) in reports.iter().enumerate() {
        assert_eq!(report.url, format!("http://{page}/{}/{number}", path(number)));
        assert_eq!(report.holds, number.is_multiple_of(2), "{report:#?}");
    }
    let most = most.load(Ordering::SeqCst);
    assert!((4..=16).contains(&most), "{most} at once");
}

#[tokio::test]
async fn without_an_edge_its_checks_are_asked_as_a_visitor_would_and_say_so() {
    let page = says("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let local = format!("http://shop.localhost:{}/", page.port());
    let report = ask_once(check(&local, Whence::Edge, Expected::status(200))).await;
    assert!(report.holds && report.from == Whence::Outside, "{report:#?}");
    let inside = ask_once(check("http://web:8080/", Whence::Inside, Expected::status(200))).await;
    assert_eq!(inside.reasons, ["it is asked from inside, by the edge, and no edge runs here"]);
}

#[test]
fn a_root_that_is_no_certificate_is_refused() {
    for root in ["", "nonsense", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"] {
        assert!(Smoke::new(Ways { root: Some(root.into()), ..Ways::default() }).is_err(), "{root}");
    }
}

/// The server asks checks in tasks of its own.
#[test]
fn asking_can_be_given_to_a_task() {
    fn is_send(_: &impl Send) {}
    let smoke = Smoke::new(Ways::default()).unwrap();
    is_send(&smoke.run(&[], Patience::Once, &|_| {}));
}
