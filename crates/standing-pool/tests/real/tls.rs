//! Encryption: who is believed, and what is said of those who are not.

use std::fs;
use std::path::Path;
use std::time::Duration;

use standing_pool::{Kind, Mode, Settings, StandingPool};

use crate::server::{Server, engine_answers, quick};

/// A server that speaks TLS with a certificate of its own authority, and admits nobody without.
fn encrypted(folder: &Path, name: &str) -> Server {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(params, key);
    let server_key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&server_key, &issuer).unwrap();
    fs::write(folder.join("root.pem"), authority.pem()).unwrap();
    let script = format!(
        "cat > \"$PGDATA/server.crt\" <<'PEM'\n{}PEM\ncat > \"$PGDATA/server.key\" <<'PEM'\n{}PEM\n\
         chmod 600 \"$PGDATA/server.key\"\necho \"ssl = on\" >> \"$PGDATA/postgresql.conf\"\n\
         printf 'local all all trust\\nhostssl all all all scram-sha-256\\n' > \"$PGDATA/pg_hba.conf\"\n",
        leaf.pem(),
        server_key.serialize_pem()
    );
    let init = folder.join("init");
    fs::create_dir(&init).unwrap();
    fs::write(init.join("tls.sh"), script).unwrap();
    let mount = format!("--volume={}:/docker-entrypoint-initdb.d:ro", init.display());
    let server = Server::absent("postgres:17", &[&mount]);
    server.start();
    server
}

async fn ends(url: String) -> StandingPool {
    let pool = StandingPool::open(&Settings { startup_max_wait: Duration::from_secs(4), ..quick(&url) });
    pool.started().await;
    pool
}

#[tokio::test]
async fn a_certificate_is_believed_when_its_authority_and_its_name_are_right() {
    if !engine_answers() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // The container runs as another user.
    let _ = std::process::Command::new("chmod").args(["-R", "a+rX"]).arg(folder.path()).status();
    let server = encrypted(folder.path(), "localhost");
    let base = format!("postgres://postgres:hunter2@localhost:{}/crm", server.port);
    let root = folder.path().join("root.pem").display().to_string();
    let require = Settings { startup_max_wait: Duration::from_secs(90), ..quick(&format!("{base}?sslmode=require")) };
    let pool = StandingPool::open(&require);
    assert_eq!(pool.started().await, Mode::Normal, "{:?}", pool.report());
    let verified = ends(format!("{base}?sslmode=verify-full&sslrootcert={root}")).await;
    assert_eq!(verified.mode(), Mode::Normal, "{:?}", verified.report());
    let mut db = verified.get().await.unwrap();
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert!(db.query_one(sql, &[]).await.unwrap().get::<_, bool>(0));

    let stranger = ends(format!("{base}?sslmode=verify-full")).await;
    assert_eq!(stranger.report().last_error.unwrap().kind, Kind::TlsFailed, "not signed by an authority of the system");
    let other_name = base.replace("localhost", "127.0.0.1");
    let misnamed = ends(format!("{other_name}?sslmode=verify-full&sslrootcert={root}")).await;
    assert_eq!(misnamed.report().last_error.unwrap().kind, Kind::TlsFailed, "made out to another name");
    let plain = ends(format!("{base}?sslmode=disable")).await;
    assert_eq!(plain.report().last_error.unwrap().kind, Kind::TlsRequired);
    let missing = ends(format!("{base}?sslmode=verify-full&sslrootcert=/nowhere.pem")).await;
    let error = missing.report().last_error.unwrap();
    assert_eq!(error.kind, Kind::TlsFailed);
    assert!(error.message.contains("/nowhere.pem"), "{}", error.message);
}
