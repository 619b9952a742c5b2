//! Nights that pass in a moment: what a schedule wanted while no server ran is made up at the next start.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::scene::Scene;
use crate::server::Server;
use crate::wait::eventually;

const TWO_DAYS: i64 = 2 * 24 * 3600;

impl Scene {
    /// Stops the server, lets it have been away for two days, and starts it again. `backed_up` is the file of its memory that it
    /// keeps about a database or a bucket: `STACK/NAME`; `tracks` are the schedules that had a night meanwhile, `backup`
    /// and `drill`: the others were answered.
    #[track_caller]
    pub fn after_a_night(&self, server: Server, backed_up: &str, tracks: &[&str]) -> Server {
        let path = self.state_dir().join("backups").join(format!("{backed_up}.json"));
        let mut memory = eventually("the schedules are known", Duration::from_secs(30), || known(&path, tracks));
        assert!(server.stop().success());
        // Written anew while it ended, perhaps.
        memory = known(&path, tracks).unwrap_or(memory);
        for track in tracks {
            let answered = memory[track]["answered"].as_i64().expect("a time");
            memory[track]["answered"] = (answered - TWO_DAYS).into();
        }
        fs::write(&path, memory.to_string()).expect("the server's memory");
        self.serve()
    }
}

fn known(path: &PathBuf, tracks: &[&str]) -> Option<Value> {
    let memory: Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    tracks.iter().all(|track| memory[track]["answered"].is_i64()).then_some(memory)
}
